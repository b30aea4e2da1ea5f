import { beforeAll, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import type { PruningGroup } from '../../src/groups/group.js';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor } from '../../src/onnx/values.js';
import { scaledLosses } from '../../src/pipeline/loss-scales.js';
import { randomGenerator } from '../../src/random/random.js';
import { layerHessians } from '../../src/reconstruct/hessians.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { OutputError } from '../../src/statistics/output-error.js';
import { graph, model, node, randomTensor as random, withInput } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

/** Two branches that are alike, but the output of the second counts a tenth. */
function branches(): Model {
  const branch = (name: string) => [
    node('Conv', ['x', 'w'], [`${name}/c`]),
    node('Relu', [`${name}/c`], [`${name}/r`]),
    node('Conv', [`${name}/r`, `${name}/v`, `${name}/b`], [`${name}/y`]),
  ];
  const nodes = [
    ...branch('a').map((made) => ({
      ...made,
      inputs: made.inputs.map((name) => (name === 'w' ? 'a/w' : name)),
    })),
    ...branch('b').map((made) => ({
      ...made,
      inputs: made.inputs.map((name) => (name === 'w' ? 'b/w' : name)),
    })),
    node('Mul', ['b/y', 'tenth'], ['s']),
    node('Add', ['a/y', 's'], ['y']),
  ];
  const weight = random('first', [8, 4, 1, 1]);
  const reader = random('second', [5, 8, 1, 1]);
  const tensors = ['a', 'b'].flatMap((name) => [
    { ...weight, name: `${name}/w` },
    { ...reader, name: `${name}/v` },
    floatTensor(`${name}/b`, new Float32Array(5)),
  ]);
  return withInput(model(graph(nodes, ['x'], ['y'], [...tensors, floatTensor('tenth', [0.1], [])])), [
    'n',
    4,
    3,
    3,
  ]);
}

function images(dense: Model, seed: string) {
  const next = randomGenerator(seed);
  const values = Float32Array.from({ length: 32 * 36 }, () => 2 * next() - 0.8);
  return dataFromArrays({ x: { data: values, dims: [32, 4, 3, 3] } }, modelInputs(dense), { batch: 16 });
}

it('weighs groups by what their cuts do to the output', async () => {
  const dense = branches();
  const analysis = await analyze(dense, { runtime });
  const { groups } = analysis.grouping;
  const [a, b] = groups.filter(({ size }) => size === 8) as [PruningGroup, PruningGroup];
  const options = { analysis: analysis.axes, groups, runtime, data: images(dense, 'fit') };
  const outputError = (await OutputError.open(dense, images(dense, 'held'), runtime))!;
  const losses = Float64Array.from({ length: 8 }, (_, c) => c + 1);
  const input = {
    scores: new Map([[a, losses], [b, losses]]), // prettier-ignore
    outputError,
    kept: new Map([[a, 5], [b, 5]]), // prettier-ignore
  };
  for (const hessians of [await layerHessians(options), new Map()]) {
    const scaled = await scaledLosses(analysis, { ...input, hessians });
    const [own, other] = [scaled.get(a)!, scaled.get(b)!];
    expect(own[0]! / other[0]!).toBeCloseTo(100, 0);
    expect(own[7]! / own[0]!).toBeCloseTo(8, 6);
  }
});

it('makes up for what is cut in the layers that read it', async () => {
  const dense = branches();
  const analysis = await analyze(dense, { runtime });
  const { groups } = analysis.grouping;
  const a = groups.find(({ size }) => size === 8)!;
  const hessians = await layerHessians({
    analysis: analysis.axes,
    groups,
    runtime,
    data: images(dense, 'fit'),
  });
  const outputError = (await OutputError.open(dense, images(dense, 'held'), runtime))!;
  const input = { scores: new Map([[a, new Float64Array(8).fill(1)]]), outputError, kept: new Map([[a, 6]]) };
  const [solved, masked] = [
    await scaledLosses(analysis, { ...input, hessians }),
    await scaledLosses(analysis, { ...input, hessians: new Map() }),
  ];
  expect(solved.get(a)![0]!).toBeLessThan(0.8 * masked.get(a)![0]!);
});
