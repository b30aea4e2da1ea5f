#!/usr/bin/env node
// Prints a hash of the pruned bytes for many pairs of model and options, every option given and one thread a session,
// so that two commits can be compared on one machine: a refactoring must change none. No hash is kept: float arithmetic
// differs by CPU. Usage: npm run build && node scripts/hashes.mjs [FILTER] > FILE
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { decodeModel, encodeModel, loadModel, prune } from '../dist/index.js';
import { filled } from './fill-topology.mjs';
import { runtimeWithThreads } from './runtime-threads.mjs';

const root = new URL('..', import.meta.url);
const runtime = await runtimeWithThreads(1);
const images = {
  path: new URL('models/data/train2048-images-idx3-ubyte.gz', root).pathname,
  limit: 128,
  batch: 64,
  draw: 'shuffle',
  mean: 0.286,
  std: 0.353,
};

/** Nothing is left to a default but what differs by criterion. */
const plain = {
  criterion: 'magnitude',
  select: 'uniform',
  solver: 'greedy',
  scope: 'local',
  ratios: {},
  ignore: [],
  only: [],
  minChannels: 1,
  maxRatio: 1,
  roundTo: 1,
  attention: 'head-dims',
  residualStream: false,
  reconstruct: false,
  rotation: false,
  steps: 1,
  schedule: 'linear',
  seed: 0,
  verify: 'none',
};
const half = { ratio: 0.5 };
const repair = (name) => ({
  data: images,
  reconstruct: { repair: name, damping: 0.001, maxRows: 40_000, seed: 0, shortcuts: true },
});
const weights = repair('weights');
const onData = { data: images };
const knapsack = { select: 'knapsack', maxRatio: 0.9 };
const macs = { budget: { macs: 0.5 } };

const criteria = ['l1', 'l2', 'bn-scale', 'lamp', 'fpgm', 'random'];
const dataCriteria = ['taylor', 'taylor-abs', 'taylor-weight', 'snip', 'fisher', 'grasp', 'crop', 'flap'];

/** [model, name of the options, options] */
const pairs = [
  ...['resnet20_bn', 'mobilenet_se_bn', 'vit_tiny', 'lstm2', 'vgg8bn'].map((model) => [
    model,
    'magnitude',
    half,
  ]),
  ...criteria.map((criterion) => ['resnet20_bn', criterion, { ...half, criterion }]),
  ...dataCriteria.map((criterion) => ['resnet20_bn', criterion, { ...half, ...onData, criterion }]),
  ['vit_tiny', 'activation', { ...half, ...onData, criterion: 'activation' }],
  ['resnet20_bn', 'obspa', { ...half, ...onData, criterion: 'obspa' }],
  ...['resnet20', 'mobilenet_se', 'vit_tiny', 'lstm2', 'vgg8bn_bn'].map((model) => [
    model,
    'obspa-weights',
    { ...half, ...weights, criterion: 'obspa' },
  ]),
  ['resnet20', 'repair-bias', { ...half, ...repair('mean-to-bias') }],
  ['vgg8bn', 'repair-statistics', { ...half, ...repair('statistics') }],
  ['resnet20_bn', 'repair-statistics', { ...half, ...repair('statistics') }],
  ['vit_tiny', 'rotation', { ...half, ...weights, criterion: 'obspa', rotation: true }],
  ['mobilenet_se_bn', 'rotation', { ...macs, ...weights, ...knapsack, criterion: 'obspa', rotation: true }],
  ['vit_tiny', 'depth', { depth: 0.25, depthScore: 'loss', depthUnit: 'branch', data: images }],
  [
    'resnet20',
    'depth-ratio',
    { ...half, depth: 0.3, depthScore: 'similarity', depthUnit: 'branch', data: images },
  ],
  ['resnet20_bn', 'knapsack', { ...macs, ...knapsack }],
  ['resnet20_bn', 'knapsack-obspa', { ...macs, ...knapsack, ...weights, criterion: 'obspa' }],
  [
    'resnet20_bn',
    'knapsack-taylor-steps',
    { ...macs, ...knapsack, ...onData, criterion: 'taylor', steps: 3 },
  ],
  ['vgg8bn', 'highs', { ...macs, ...knapsack, solver: 'highs', minChannels: 4, roundTo: 8 }],
  ['resnet20_bn', 'global', { ...half, scope: 'global', maxRatio: 0.9, normalization: 'lamp' }],
  ['resnet20_bn', 'isomorphic', { ...half, scope: 'isomorphic', maxRatio: 0.9, aggregation: 'max' }],
  ['resnet20_bn', 'two-budgets', { budget: { macs: 0.6, params: 0.5 } }],
  ['vit_tiny', 'heads', { ...half, attention: 'heads' }],
  ['vit_tiny', 'residual-stream', { ...half, residualStream: true }],
  ...[
    'resnet50',
    'swin_t',
    'bert_small',
    'gpt2_small',
    'llama_gqa',
    'yolov8n_like',
    'shufflenet_v2_x1_0',
    'densenet121',
    'convnext_tiny',
    'diffusion_unet',
    'efficientnet_b0',
    'fasterrcnn_resnet50_fpn',
  ].map((model) => [model, 'magnitude', { ...half, residualStream: true }]),
];

const filter = process.argv[2] ?? '';
for (const [name, kind, options] of pairs) {
  if (!`${name} ${kind}`.includes(filter)) continue;
  let result;
  try {
    const { model } = await prune(await open(name), { ...plain, ...options, runtime });
    result = createHash('sha256').update(encodeModel(model)).digest('hex').slice(0, 24);
  } catch (error) {
    result = `${error.code ?? 'error'}: ${error.message}`;
  }
  console.log(`${name}\t${kind}\t${result}`);
}

async function open(name) {
  const trained = new URL(`models/trained/${name}.onnx`, root);
  if (existsSync(trained)) return loadModel(trained);
  return filled(decodeModel(gunzipSync(readFileSync(new URL(`models/topologies/${name}.onnx.gz`, root)))));
}
