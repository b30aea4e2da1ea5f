#!/usr/bin/env node
// Accuracy before and after distillation, without labels: a trained model is pruned to a budget of MACs with 1,024 images
// (scores and reconstruction by default), then trained towards the dense one. Every run that is done is one line of
// docs/measurements/training.jsonl and is not repeated; from all lines the table in docs/training.md is written. Nothing is
// chosen on the test images: they are looked at once, after training.
// Usage: npm run build && node scripts/training.mjs FOLDER IMAGES MODEL BUDGET [OPTIONS]
//   FOLDER   with the test images, and the training images named IMAGES, as IDX files
//   OPTIONS  of training as JSON, e.g. '{"epochs":8,"seed":1}'; with "images" that many of them, with "recipe" a recipe
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { evaluate, loadModel, openData, prune } from '../dist/index.js';

const root = new URL('..', import.meta.url).pathname;
const log = join(root, 'docs', 'measurements', 'training.jsonl');
const rows = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)) : []; // prettier-ignore
const normalization = { mean: [0.286], std: [0.353] };

const [folder, images, name, macs, given = '{}'] = process.argv.slice(2);
if (folder !== undefined) await measure();
writeTable();

async function measure() {
  const key = JSON.stringify([name, macs, images, JSON.parse(given)]);
  if (rows.some((row) => row.key === key)) return;
  const { recipe, seed = 0, images: limit, ...options } = JSON.parse(given);
  const dense = await loadModel(join(root, 'models', 'trained', `${name}.onnx`));
  const open = (file, more) => openData({ path: join(folder, file), ...normalization, ...more }, dense);
  const train = await open(images, { draw: 'shuffle', seed, ...(limit && { limit }) });
  const calibration = await open(images, { draw: 'shuffle', seed, limit: 1024 });
  const test = await open('t10k-images-idx3-ubyte.gz', { batch: 250 });
  const top1 = async (model) => 100 * (await evaluate(model, { data: test, threads: 1 })).accuracy.top1;
  const settings = { budget: { macs }, data: calibration, seed, threads: 1 };
  const pruned = await prune(dense, settings);
  const distil = { ...options, data: train, threads: 1 };
  let from;
  const onProgress = ({ phase }) => {
    if (phase === 'train' || phase === 'sparsify') from ??= process.cpuUsage();
  };
  const { report, model } = await prune(dense, {
    ...settings,
    distil,
    onProgress,
    ...(recipe && { recipe }),
  });
  const { user, system } = process.cpuUsage(from);
  const row = {
    ...{ key, model: name, macs, images: train.count, seed, recipe, options },
    dense: await top1(dense),
    pruned: await top1(pruned.model),
    distilled: await top1(model),
    ...{ before: report.training.before, after: report.training.after, kept: report.training.kept },
    passes: report.training.passes.length,
    seconds: Math.round((user + system) / 1e6),
  };
  rows.push(row);
  mkdirSync(join(root, 'docs', 'measurements'), { recursive: true });
  appendFileSync(log, `${JSON.stringify(row)}\n`);
}

function writeTable() {
  const path = join(root, 'docs', 'training.md');
  const page = readFileSync(path, 'utf8');
  const lines = rows
    .toSorted((a, b) => a.model.localeCompare(b.model) || parseFloat(b.macs) - parseFloat(a.macs))
    .map(({ model, macs, images, passes, recipe, options, seed, ...own }) => {
      const { epochs: _epochs, ...others } = options;
      const how = [recipe, ...Object.entries(others).map(([option, value]) => `${option} ${value}`)].filter(Boolean).join(', '); // prettier-ignore
      return `| ${model} | ${macs} | ${images} | ${passes} | ${how || 'defaults'} | ${seed} | ${own.dense.toFixed(2)} | ${own.pruned.toFixed(2)} | **${own.distilled.toFixed(2)}** | ${own.seconds} |`;
    });
  const head = [
    '| model | MACs | images | passes | options | seed | dense | pruned and reconstructed | distilled | seconds |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
  ];
  const table = [...head, ...lines].join('\n');
  writeFileSync(path, page.replace(/(<!-- accuracy -->\n)[\s\S]*?(<!-- end -->)/, `$1${table}\n$2`));
}
