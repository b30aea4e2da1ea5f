import { beforeAll, expect, it } from 'vitest';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import { evaluate } from '../../src/evaluate/evaluate.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf, floatTensor } from '../../src/onnx/values.js';
import type { EngineOptions } from '../../src/options/resolve.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { graph, model, node, randomTensor as random, withInput } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const image = [8, 6, 6];

/** Two branches with 16 channels: those of the first are four that are repeated, those of the second all differ. */
function dense(): Model {
  const once = Array.from({ length: 4 }, (_, i) => [...floatsOf(random(`row${i}`, [8]))]);
  const repeated = Array.from({ length: 16 }, (_, i) => once[i % 4]!).flat();
  const branch = (weight: string, reader: string, output: string) => [
    node('Conv', ['x', weight], [`${weight}/c`]),
    node('Relu', [`${weight}/c`], [`${weight}/r`]),
    node('Conv', [`${weight}/r`, reader], [output]),
  ];
  const nodes = [...branch('a', 'c', 'y'), ...branch('b', 'd', 'z')];
  const tensors = [
    floatTensor('a', repeated, [16, 8, 1, 1]),
    random('b', [16, 8, 1, 1]),
    random('c', [12, 16, 1, 1]),
    random('d', [12, 16, 1, 1]),
  ];
  return withInput(model(graph(nodes, ['x'], ['y', 'z'], tensors)), ['n', ...image]);
}

function data(of: Model, seed: string) {
  const next = randomGenerator(seed);
  const size = image.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: 64 * size }, () => 2 * next() - 0.8);
  return dataFromArrays({ x: { data: values, dims: [64, ...image] } }, modelInputs(of), { batch: 16 });
}

async function pruned(given: Partial<EngineOptions>) {
  const whole = dense();
  const options = { budget: { macs: 0.5 }, data: data(whole, 'calibration'), reconstruct: true, runtime, ...given }; // prettier-ignore
  const result = await prunePipeline(whole, options);
  const { differences } = await evaluate(result.model, { runtime, data: data(whole, 'fresh'), reference: whole }); // prettier-ignore
  const kept = new Map(result.report.groups.map(({ name, kept }) => [name, kept]));
  return { ...result.report, kept, errors: differences!.map(({ relative }) => relative!) };
}

it('shares a budget out by what each group can do without, where scores can be compared', async () => {
  const own = await pruned({ criterion: 'obspa' });
  const same = await pruned({ criterion: 'obspa', select: 'uniform' });
  expect(own.knapsack).toBeDefined();
  expect([...own.kept]).toEqual([['a', 4], ['b', 12]]); // prettier-ignore
  expect([...same.kept]).toEqual([['a', 8], ['b', 8]]); // prettier-ignore
  expect(own.errors[0]).toBeLessThan(1e-2);
  expect(own.errors[1]).toBeLessThan(0.7 * same.errors[1]!);
});

it.each<Partial<EngineOptions>>([
  { criterion: 'obspa', scope: 'local' },
  { criterion: 'obspa', ratios: { a: 0.3 } },
  { criterion: 'obspa', ratio: 0.3, budget: undefined },
  { criterion: 'magnitude' },
])('gives every group the same share with %o', async (options) => {
  expect((await pruned(options)).knapsack).toBeUndefined();
});
