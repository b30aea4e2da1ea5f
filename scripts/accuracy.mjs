#!/usr/bin/env node
/* global URL, console, performance, process */
// Top-1 of trained classifiers after pruning to a share of their MACs, for criteria and repairs: the tables of
// docs/accuracy.md. Every cell is a line of a file, so that an interrupted run goes on where it was; the page is made
// of all lines there are.
// Usage: npm run build && node scripts/accuracy.mjs [--models a,b] [--shares 70,50,30] [--criteria magnitude,obspa]
//   [--repairs none,mean-to-bias,statistics,weights] [--draws 0] [--tested 2500] [--fashion FOLDER]
//   [--cifar FOLDER --real FOLDER] [--cells FILE] [--page]
// --tested is how many of the test images are looked at, the first ones. FOLDER of --fashion holds the four files of
// Fashion-MNIST under their usual names (default: models/data, whose 2,048 training images are then drawn from), that
// of --cifar train_2500.bin and test_4000.bin. --page measures nothing. --threads 1 suits several runs side by side.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { resolveCriterion } from '../dist/criteria/resolve.js';
import { evaluate, loadModel, nodeRuntime, prune } from '../dist/index.js';
import { batches, cifarModels, fashion, shuffled } from './labelled-images.mjs';
import { runtimeWithThreads } from './runtime-threads.mjs';
import { replaceSection } from './sections.mjs';

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const { values } = parseArgs({
  options: {
    models: {
      type: 'string',
      default: 'resnet20_bn,vgg8bn,mobilenet_se,vit_tiny,lstm2,resnet20,vgg8bn_bn,mobilenet_se_bn',
    },
    shares: { type: 'string', default: '70,50,30' },
    criteria: { type: 'string', default: 'magnitude,obspa' },
    repairs: { type: 'string', default: 'none,mean-to-bias,statistics,weights' },
    draws: { type: 'string', default: '0' },
    tested: { type: 'string', default: '2500' },
    fashion: { type: 'string', default: path('models/data') },
    cifar: { type: 'string' },
    real: { type: 'string' },
    cells: { type: 'string', default: path('docs/measurements/accuracy.jsonl') },
    threads: { type: 'string' },
    page: { type: 'boolean', default: false },
  },
});
const listOf = (name) => values[name].split(',');
const calibrated = 1024;
const runtime = await (values.threads ? runtimeWithThreads(Number(values.threads)) : nodeRuntime());
const tested = Number(values.tested);

mkdirSync(dirname(values.cells), { recursive: true });
const cells = new Map();
const keyOf = ({ model, draw, criterion, share, repair, tested }) =>
  [model, draw, criterion, share, repair, tested].join(' ');
if (existsSync(values.cells))
  for (const line of readFileSync(values.cells, 'utf8').split('\n').filter(Boolean)) {
    const cell = JSON.parse(line);
    cells.set(keyOf(cell), cell);
  }
const isKnown = (cell) => cells.has(keyOf(cell));

function record(cell) {
  cells.set(keyOf(cell), cell);
  appendFileSync(values.cells, `${JSON.stringify(cell)}\n`);
  console.log(JSON.stringify(cell));
}

/** Training images to draw from and test images, read once. */
const sources = new Map();
function imagesFor(name) {
  const read = cifarModels[name];
  const key = read ? name : 'fashion';
  if (!sources.has(key)) {
    const { fashion: folder, cifar } = values;
    const full = existsSync(join(folder, 'train-images-idx3-ubyte.gz'));
    const train = read ? read(join(cifar, 'train_2500.bin')) : fashion(folder, full ? 'train' : 'train2048');
    const test = read ? read(join(cifar, 'test_4000.bin')) : fashion(folder, 't10k');
    // Of 60,000 images 50,000 are drawn from; configurations were compared on 5,000 of the others.
    const pool = shuffled(train.labels.length, 12345).subarray(0, 50_000);
    sources.set(key, { train, test, pool });
  }
  return sources.get(key);
}

async function accuracyOf(model, test) {
  const chosen = test.labels.map((_, i) => i).subarray(0, tested);
  const { accuracy } = await evaluate(model, { data: batches(model, test, chosen), runtime });
  return Number((100 * accuracy.top1).toFixed(2));
}

/** The same scores for every share: they are measured once. */
function remembering(name) {
  const criterion = resolveCriterion(name);
  const known = new Map();
  return () => ({
    ...criterion,
    needs: known.size > 0 ? [] : criterion.needs,
    score(context) {
      const { id } = context.group;
      if (!known.has(id)) known.set(id, criterion.score(context));
      return known.get(id);
    },
  });
}

async function measure(name, draw) {
  const model = await loadModel(
    cifarModels[name] ? join(values.real, `${name}.onnx`) : path(`models/trained/${name}.onnx`),
  );
  const { train, test, pool } = imagesFor(name);
  const chosen = shuffled(pool.length, 777 + draw)
    .subarray(0, calibrated)
    .map((i) => pool[i]);
  const data = batches(model, train, chosen);
  if (!isKnown({ model: name, criterion: 'dense', tested }))
    record({ model: name, criterion: 'dense', tested, top1: await accuracyOf(model, test) });
  for (const criterion of listOf('criteria')) {
    const remembered = remembering(criterion);
    for (const share of listOf('shares').map(Number)) {
      const wanted = listOf('repairs')
        .map((repair) => ({ model: name, draw, criterion, share, repair, tested }))
        .filter((cell) => !isKnown(cell));
      if (wanted.length === 0) continue;
      const common = { data, verify: 'none', seed: draw, runtime };
      try {
        const budget = { macs: `${share}%` };
        // Solving for weights chooses anew: some channels are in another basis then.
        const isPlanWanted = wanted.some(({ repair }) => repair !== 'weights');
        const plain =
          isPlanWanted &&
          (await prune(model, { ...common, criterion: remembered(), budget, reconstruct: false }));
        for (const cell of wanted) {
          const start = performance.now();
          const { repair } = cell;
          const result =
            repair === 'none'
              ? plain
              : repair === 'weights'
                ? await prune(model, { ...common, criterion, budget, reconstruct: true })
                : await prune(model, { ...common, plan: plain.planFile(''), reconstruct: { repair } });
          const seconds = Math.round((performance.now() - start) / 1000);
          record({ ...cell, top1: await accuracyOf(result.model, test), seconds });
        }
      } catch (error) {
        if (error.code !== 'budget') throw error;
        for (const cell of wanted) record({ ...cell, top1: null });
      }
    }
  }
}

if (!values.page)
  for (const draw of listOf('draws').map(Number))
    for (const name of listOf('models')) {
      try {
        await measure(name, draw);
      } catch (error) {
        console.error(`${name}: ${error.stack}`);
        process.exitCode = 1;
      }
    }

const page = path('docs/accuracy.md');
const all = [...cells.values()];
const dense = new Map(
  all
    .filter((cell) => cell.criterion === 'dense' && cell.tested === tested)
    .map(({ model, top1 }) => [model, top1]),
);
const unique = (list) => [...new Set(list)];
const repairs = ['none', 'mean-to-bias', 'statistics', 'weights'];
const percent = (value) => (value === undefined ? '' : value === null ? 'out of reach' : value.toFixed(2));

/** Draw 0: rows of model, criterion and share, columns of repairs. */
function comparison() {
  const lines = [
    '| model | dense | criterion | MACs | none | mean-to-bias | statistics | weights |',
    '|---|---:|---|---|---:|---:|---:|---:|',
  ];
  const own = all.filter(
    (cell) => cell.draw === 0 && [70, 50, 30].includes(cell.share) && cell.tested === tested,
  );
  let [full, best, close] = [0, 0, 0];
  for (const model of unique(own.map((cell) => cell.model)))
    for (const criterion of unique(own.map((cell) => cell.criterion)))
      for (const share of [70, 50, 30]) {
        const row = repairs.map(
          (repair) => cells.get(keyOf({ model, draw: 0, criterion, share, repair, tested }))?.top1,
        );
        if (row.every((value) => value === undefined)) continue;
        lines.push(
          `| ${[model, percent(dense.get(model)), criterion, `${share} %`, ...row.map(percent)].join(' | ')} |`,
        );
        if (row.some((value) => typeof value !== 'number')) continue;
        full++;
        if (row[3] >= Math.max(...row)) best++;
        if (row[3] >= row[0] - 0.5) close++;
      }
  const count = `Of ${full} complete rows solving for the weights is best in ${best}, and in ${close} it is no more than 0.5 points below changing nothing.`;
  return [...lines, '', count].join('\n');
}

/** Mean and standard deviation over draws, of the cells that were measured on more test images. */
function draws() {
  const lines = [
    '| model | criterion | MACs | images | draws | dense | top-1 |',
    '|---|---|---|---:|---:|---:|---:|',
  ];
  const rowOf = ({ model, criterion, share, tested }) => `${model} | ${criterion} | ${share} % | ${tested}`;
  const own = all.filter((cell) => cell.repair === 'weights' && cell.tested > tested);
  const dense = new Map(
    all
      .filter((cell) => cell.criterion === 'dense' && cell.tested > tested)
      .map(({ model, top1 }) => [model, top1]),
  );
  for (const row of unique(own.map(rowOf))) {
    const found = own.filter((cell) => rowOf(cell) === row).map(({ top1 }) => top1);
    const mean = found.reduce((a, b) => a + b) / found.length;
    const variance = found.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (found.length - 1);
    const spread = found.length > 1 ? ` ± ${Math.sqrt(variance).toFixed(2)}` : '';
    const top1 = dense.get(row.split(' ')[0])?.toFixed(2) ?? '';
    lines.push(`| ${row} | ${found.length} | ${top1} | ${mean.toFixed(2)}${spread} |`);
  }
  return lines.join('\n');
}

replaceSection(page, 'accuracy', comparison());
replaceSection(page, 'draws', draws());
