#!/usr/bin/env node
// Prunes every model that has a symbolic dim by half, and compares the pruned file with the masked original at six
// sizes that pruning did not try, the smallest that runs and a prime among them. Writes docs/sizes.md.
// Usage: npm run build && node scripts/sizes.mjs [--docs] [MODEL.onnx ...]   Default: the models of the repository.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { decodeModel, encodeModel, loadModel, prune } from '../dist/index.js';
import { filled } from './fill-topology.mjs';
import { keptMasks } from '../dist/plan/plan.js';
import { randomInputs } from '../dist/runtime/inputs.js';
import { fromRuntime } from '../dist/runtime/tensors.js';
import { triedSizes } from '../dist/shapes/variation.js';
import { freeDims, movedShapes } from '../dist/shapes/vary.js';
import { verify } from '../dist/verify/verify.js';
import { runtimeWithThreads } from './runtime-threads.mjs';

const wanted = 6;
const root = new URL('..', import.meta.url).pathname;
const runtime = await runtimeWithThreads(1);
const args = process.argv.slice(2);
const given = args.filter((arg) => arg !== '--docs');
const files = given.length > 0 ? given : ['topologies', 'trained'].flatMap((folder) =>
  readdirSync(`${root}models/${folder}`)
    .filter((name) => /\.onnx(\.gz)?$/.test(name))
    .map((name) => `${root}models/${folder}/${name}`),
); // prettier-ignore

const rows = [];
for (const file of files) {
  const name = basename(file).replace(/\.onnx(\.gz)?$/, '');
  let row;
  try {
    row = await campaign(await open(file));
  } catch (error) {
    row = { free: '?', sizes: [], note: `${error.code ?? 'error'}: ${error.message}` };
  }
  if (!row) continue;
  rows.push({ name, ...row });
  console.log(`${name}\t${row.free}\t${row.sizes.length}\t${row.note}\t${row.sizes.join(' ')}`);
}
if (args.includes('--docs')) writeFileSync(`${root}docs/sizes.md`, page());
process.exitCode = rows.some(({ isWrong }) => isWrong) ? 1 : 0;

/** Undefined for a model without a symbolic dim. */
async function campaign(file) {
  const constants = new Set(file.graph.initializers.map(({ name }) => name));
  const isOpen = ({ name, type }) =>
    !constants.has(name) && type?.shape?.some(({ value }) => typeof value !== 'number' || value < 1);
  if (!file.graph.inputs.some(isOpen)) return undefined;
  const result = await prune(file, { ratio: 0.5, verify: 'none', runtime });
  const { model: dense, axes, shapes, canonical } = result.analysis;
  const dims = freeDims(dense, shapes);
  const free = dims.map(({ places: [[input, axis]], size }) => `${input}[${axis}] = ${size}`).join(', ');
  const session = await runtime.load(encodeModel(dense));
  const taken = new Map();
  for (const moves of candidates(dims)) {
    if (taken.size === wanted) break;
    const own = (dim) => moves(dim).filter((size) => size !== dim.size && !triedSizes(dim).has(size));
    const moved = await movedShapes(dense, shapes, runtime, own);
    const text = moved && dims.map(({ places: [[input, axis]] }) => moved.inputs.get(input)[axis]).join('×');
    if (!moved || taken.has(text)) continue;
    const specs = [...moved.inputs].map(([name, shape]) => ({ name, shape, dtype: shapes.dtypeOf(name) }));
    const feeds = randomInputs(runtime, specs, `size ${text}`);
    const runs = await session.run(feeds).then(
      () => true,
      () => false,
    );
    if (runs)
      taken.set(text, Object.fromEntries(Object.entries(feeds).map(([k, v]) => [k, fromRuntime(k, v)])));
  }
  await session.release();
  const { unfold, canonicalize = unfold } = canonical;
  const pruned = canonicalize.call(canonical, decodeModel(encodeModel(result.model)));
  const report = await verify({
    ...{ analysis: axes, masks: keptMasks(result.plan), dense, pruned, shapes, runtime },
    ...{ level: 'outputs', seed: 1, feeds: [...taken.values()] },
  });
  const sizes = [...taken.keys()];
  const note = report.passed
    ? sizes.length < wanted ? `agrees; it runs at no other size of ${candidates(dims).length} that were tried` : 'agrees'
    : `differs: ${report.failure.message}`; // prettier-ignore
  return { free, sizes, note, isWrong: !report.passed };
}

/** Sizes to try, each for all dims at once: small ones, primes, and multiples of usual strides. */
function candidates(dims) {
  const batches = [2, 4, 6, 8, 11, 13].map(
    (batch) =>
      ({ isLeading }) =>
        isLeading ? [batch] : [],
  );
  if (dims.every(({ isLeading }) => isLeading)) return batches;
  const small = [1, 2, 3, 5, 8, 13, 16, 23, 32, 47, 64, 97, 128, 257, 400, 513, 769, 1024, 1537, 2048];
  const smallest = small.map((size) => ({ isLeading }) => [isLeading ? 1 : size]);
  const strides = (size, ...multiples) => multiples.map((multiple) => size + 16 * multiple);
  const others = [
    ({ size, index: i }) => [prime(0.81 * size + 6 * i), ...strides(size, -1 - i, -2 - 2 * i, -4, -10)],
    ({ size, index: i }) => [prime(1.13 * size + 10 * i), ...strides(size, 1 + i, 2 + 2 * i, 4 + 2 * i, 10)],
    ({ size, index: i }) => [Math.round(0.7 * size) - i, ...strides(size, -3 - i, -6 - 2 * i, -8, -20)],
    ({ size, index: i }) => [Math.round(1.31 * size) + i, ...strides(size, 3 + i, 6 + 2 * i, 12 + 2 * i, 20)],
    ({ size, index: i }) => [prime(0.55 * size + 4 * i), ...strides(size, -5 - i, -10, 14 + 2 * i)],
    ({ size, index: i }) => [Math.round(1.5 * size) + 2 * i, ...strides(size, 5 + i, 10 + 2 * i, 30)],
    ({ size, index: i }) => [prime(1.71 * size + 8 * i), ...strides(size, 18 + 2 * i, 36)],
    ({ size, index: i }) => strides(size, 26 + 2 * i, 50),
  ].map(
    (lengths, turn) => (dim) =>
      dim.isLeading ? [[2, 4, 6, 8][turn % 4]] : lengths(dim).filter((size) => size > 0),
  );
  // The one place that is left after five is for the smallest that runs.
  return [...others.slice(0, 5), ...smallest, ...others.slice(5)];
}

function prime(start) {
  let n = Math.max(2, Math.ceil(start));
  const isPrime = (x) =>
    Array.from({ length: Math.floor(Math.sqrt(x)) - 1 }, (_, i) => i + 2).every((d) => x % d);
  while (!isPrime(n)) n++;
  return n;
}

async function open(file) {
  if (!file.endsWith('.gz')) return loadModel(file);
  return filled(decodeModel(gunzipSync(readFileSync(file))));
}

function page() {
  return [
    '# Other sizes',
    '',
    'Each model with symbolic dims, pruned by half, against its masked original at sizes that neither rewriting nor the',
    'proof tries: the smallest that runs, primes, and multiples of usual strides, each dim another. Sizes of several dims',
    'are in the order of the second column. Made by `scripts/sizes.mjs`.',
    '',
    '| model | free dims, as pinned | sizes | result |',
    '|---|---|---|---|',
    ...rows.map(({ name, free, sizes, note }) => `| ${name} | ${free} | ${sizes.join(', ')} | ${note} |`),
    '',
  ].join('\n');
}
