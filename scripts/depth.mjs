#!/usr/bin/env node
/* global console, process */
// Top-1 after removing residual branches: the tables of docs/depth.md.
// Usage: npm run build && node scripts/depth.mjs MODEL DATA [PAGE]
// DATA is a folder with Fashion-MNIST's four files; MODEL is models/trained/vit_tiny.onnx for the page as it is.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { evaluate, inspect, analyze, loadModel, openData, prune } from '../dist/index.js';
import { replaceSection } from './sections.mjs';

const [modelPath, folder, page = 'docs/depth.md'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: node scripts/depth.mjs MODEL DATA [PAGE]');
  process.exit(2);
}
const dense = await loadModel(modelPath);
const images = { mean: 0.286, std: 0.353, batch: 250 };
const calibration = (seed) =>
  openData(
    { ...images, path: join(folder, 'train-images-idx3-ubyte.gz'), limit: 1024, draw: 'shuffle', seed },
    dense,
  );
const test = await openData({ ...images, path: join(folder, 't10k-images-idx3-ubyte.gz') }, dense);

// Finished rows, so that an interrupted run goes on.
const cachePath = process.env.DEPTH_CACHE;
const cache =
  cachePath !== undefined && existsSync(cachePath) ? JSON.parse(readFileSync(cachePath, 'utf8')) : {};

/** Keys of the rows that this run asked for. */
const used = new Set();

/** What comes of one call. */
async function row(options, seed = 0) {
  const key = JSON.stringify({ ...options, seed });
  used.add(key);
  if (!cache[key]) {
    const { model, report } = await prune(dense, {
      reconstruct: false,
      ...options,
      data: await calibration(seed),
      verify: 'full',
    });
    cache[key] = {
      removed: report.depth?.branches.filter((branch) => branch.removed).map(({ id }) => id) ?? [],
      macs: report.macs.pruned / report.macs.dense,
      parameters: report.parameters.pruned / report.parameters.dense,
      compared: report.verification.compared,
      maxError: report.verification.maxError,
      top1: await top1(model),
    };
    console.log(key, JSON.stringify(cache[key]));
    if (cachePath !== undefined) writeFileSync(cachePath, JSON.stringify(cache));
  }
  return cache[key];
}
async function top1(model) {
  return (await evaluate(model, { data: test })).accuracy.top1;
}
const percent = (share) => `${(100 * share).toFixed(2)} %`;
const table = (rows) => {
  const [head, ...body] = rows;
  return [head, head.map(() => '---'), ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
};

cache.dense ??= await top1(dense);
const { branches } = inspect(await analyze(dense));
const scores = [
  ['similarity', { depthScore: 'similarity' }],
  ['loss (KL)', { depthScore: 'loss' }],
  ['loss (cross-entropy)', { depthScore: 'loss', loss: 'cross-entropy' }],
];

const byScore = [['removed', 'score', 'branches', 'MACs', 'top-1', 'top-1, other draws']];
for (const [depthUnit, depth] of [
  ['block', 0.25],
  ['branch', 0.125],
  ['branch', 0.25],
  ['branch', 0.375],
  ['branch', 0.5],
])
  for (const [name, options] of scores) {
    const draws = [];
    for (const seed of depth === 0.25 ? [0, 1, 2] : [0])
      draws.push(await row({ depth, depthUnit, ...options }, seed));
    const [first, ...others] = draws;
    const unit = depthUnit === 'block' ? 'blocks' : 'branches';
    byScore.push([
      `${100 * depth} % of the ${unit}`,
      name,
      first.removed.join(' '),
      percent(first.macs),
      percent(first.top1),
      others.map(({ removed, top1 }) => `${percent(top1)} (${removed.join(' ')})`).join(', '),
    ]);
  }

// The same MACs from depth, from width, and from both; channels by obspa, as the command line does with data.
const width = { criterion: 'obspa' };
const mixes = [['removed', 'MACs', 'parameters', 'sliced only', 'reconstructed']];
for (const [name, options] of [
  ['`--depth 0.25`', () => ({ depth: 0.25 })],
  ['`--budget macs=75%`', (reconstruct) => ({ budget: { macs: '75%' }, ...width, reconstruct })],
  [
    '`--depth 0.125 --budget macs=75%`',
    (reconstruct) => ({ depth: 0.125, budget: { macs: '75%' }, ...width, reconstruct }),
  ],
  ['`--depth 0.5`', () => ({ depth: 0.5 })],
]) {
  const sliced = await row(options(false));
  const solved = options.length > 0 ? percent((await row(options(true))).top1) : '–';
  mixes.push([name, percent(sliced.macs), percent(sliced.parameters), percent(sliced.top1), solved]);
}

const rows = [...used].map((key) => cache[key]);
const worst = Math.max(...rows.map(({ maxError }) => maxError));
const least = Math.min(...rows.map(({ compared }) => compared));
const facts = `Dense: ${percent(cache.dense)}; ${branches.length} residual branches in ${new Set(branches.map(({ block }) => block)).size} blocks. All ${rows.length} results passed the full proof: at least ${least} tensors each, largest relative error ${worst.toExponential(1)}.`;
replaceSection(page, 'scores', `${facts}\n\n${table(byScore)}`);
replaceSection(page, 'mixes', table(mixes));
