#!/usr/bin/env node
/* global URL, console, performance */
// Top-1 of the trained models after pruning to a share of their MACs, with and without reconstruction: the table of
// docs/accuracy.md. Rows of other models and shares stay.
// Usage: npm run build && node scripts/accuracy.mjs [--models resnet20,vit_tiny] [--shares 70,50,30]
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { evaluate, loadModel, openData, prune } from '../dist/index.js';
import { replaceSection, sectionOf } from './sections.mjs';

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: 'resnet20,resnet20_bn,vgg8bn,mobilenet_se,vit_tiny,lstm2' },
    shares: { type: 'string', default: '70,50,30' },
  },
});
const page = fileURLToPath(new URL('../docs/accuracy.md', import.meta.url));
const dataFile = (name) =>
  fileURLToPath(new URL(`../models/data/${name}-images-idx3-ubyte.gz`, import.meta.url));
const normalized = { mean: [0.286], std: [0.353] };

const methods = [
  { name: 'magnitude, sliced', criterion: 'magnitude', reconstruct: false },
  { name: 'magnitude, reconstructed', criterion: 'magnitude', reconstruct: true },
  { name: 'obspa, reconstructed', criterion: 'obspa', reconstruct: true },
];

const rows = new Map(
  sectionOf(page, 'accuracy')
    .split('\n')
    .slice(2)
    .map((line) => [line.split('|').slice(1, 3).join('|'), line]),
);

async function accuracyOf(model, test) {
  const { accuracy } = await evaluate(model, { data: test });
  return (100 * accuracy.top1).toFixed(2);
}

async function row(name, model, dense, share) {
  const open = (file, draw) => openData({ path: dataFile(file), ...normalized, ...draw }, model);
  const data = await open('train2048', { draw: 'shuffle', limit: 1024, seed: 0 });
  const test = await open('t10k', { batch: 250 });
  const cells = [];
  for (const method of methods) {
    const start = performance.now();
    try {
      const options = { ...method, budget: { macs: `${share}%` }, data };
      const result = await prune(model, options);
      cells.push(await accuracyOf(result.model, test));
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      console.log(`${name} at ${share} %: ${method.name} ${cells.at(-1)} (${seconds} s)`);
    } catch (error) {
      if (error.code !== 'budget') throw error;
      cells.push('out of reach');
    }
  }
  return `| ${name} | ${share} % | ${[dense, ...cells].join(' | ')} |`;
}

for (const name of values.models.split(',')) {
  const path = fileURLToPath(new URL(`../models/trained/${name}.onnx`, import.meta.url));
  const model = await loadModel(path);
  const dense = await accuracyOf(model, await openData({ path: dataFile('t10k'), ...normalized }, model));
  for (const share of values.shares.split(',')) {
    const line = await row(name, model, dense, share);
    rows.set(line.split('|').slice(1, 3).join('|'), line);
    const head = ['model', 'MACs', 'dense', ...methods.map((method) => method.name)];
    const table = [
      `| ${head.join(' | ')} |`,
      `|---|---|${head
        .slice(2)
        .map(() => '---:')
        .join('|')}|`,
      ...[...rows.values()].filter((text) => text.startsWith('|')),
    ];
    replaceSection(page, 'accuracy', table.join('\n'));
  }
}
