// The main job on real data: prunes a trained classifier at several ratios, proves each result, and measures what it
// cost and what it gained on the 10,000 test images of Fashion-MNIST, with and without reconstruction. `npm run demo [MODEL]`
import { bench, evaluate, loadModel, prune } from 'onnx-prune';

const path = process.argv[2] ?? 'models/trained/vgg8bn.onnx';
const ratios = [0.25, 0.5];
// Kernels work on blocks of channels: other sizes are often no faster than the next multiple.
const roundTo = 16;
const pixels = { mean: 0.286, std: 0.353 };
const data = { path: 'models/data/t10k-images-idx3-ubyte.gz', ...pixels };
const calibration = {
  path: 'models/data/train2048-images-idx3-ubyte.gz',
  limit: 1024,
  draw: 'shuffle',
  ...pixels,
};

const dense = await loadModel(path);
const contestants = [{ name: 'dense', model: dense }];
const rows = [];
for (const ratio of ratios) {
  progress(`pruning at ${ratio}, proving it and evaluating`);
  const sliced = await prune(dense, { ratio, roundTo });
  progress(`pruning at ${ratio}, solving for the weights that are left`);
  const { model, report } = await prune(dense, { ratio, roundTo, data: calibration, reconstruct: true });
  contestants.push({ name: String(ratio), model });
  const before = await evaluate(sliced.model, { data });
  const { accuracy } = await evaluate(model, { data });
  rows.push({ report, before: before.accuracy, accuracy });
}
progress('evaluating and measuring');
const { accuracy } = await evaluate(dense, { data });
const { models, comparisons } = await bench(contestants, { batch: 1, runs: 200 });
progress('');

const [{ report: any }] = rows;
const table = [
  ['ratio', 'MACs', 'parameters', 'top-1 sliced', 'reconstructed', 'latency', 'speedup', 'proof: max error'],
  [
    'dense',
    mega(any.macs.dense),
    mega(any.parameters.dense),
    percent(accuracy.top1),
    '',
    ms(models[0]),
    '',
    '',
  ],
  ...rows.map(({ report, before, accuracy }, i) => [
    String(ratios[i]),
    mega(report.macs.pruned),
    mega(report.parameters.pruned),
    percent(before.top1),
    percent(accuracy.top1),
    ms(models[i + 1]),
    `${comparisons[i].speedup.toFixed(2)}x`,
    report.verification.maxError.toExponential(1),
  ]),
];
console.log(
  `${path}, 10,000 test images of Fashion-MNIST, no training; reconstructed on 1,024 unlabelled images,\nkept sizes are multiples of ${roundTo}\n`,
);
const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
for (const row of table) console.log(row.map((cell, column) => cell.padStart(widths[column])).join('  '));

function mega(count) {
  return `${(count / 1e6).toFixed(3)} M`;
}

function percent(share) {
  return `${(100 * share).toFixed(2)} %`;
}

function ms({ median }) {
  return `${median.toFixed(2)} ms`;
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text}`);
}
