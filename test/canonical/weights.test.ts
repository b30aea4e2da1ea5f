import { expect, it } from 'vitest';
import { encodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { foldWeights } from '../../src/canonical/weights.js';
import { pruneAtRandom } from '../oracles/pruned.js';
import { model, node, value } from '../shapes/build-model.js';

const runtime = await nodeRuntime();
const random = randomGenerator(1);
const weight = (name: string, dims: readonly number[]) =>
  floatTensor(
    name,
    Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => normal(random)),
    dims,
  );

/** Two convolutions whose weights have mean 0 and deviation 1 per filter, as scaled standardised ones export. */
const standardised = model({
  inputs: [value('x', [1, 3, 6, 6])],
  outputs: [value('y', [1, 5, 6, 6])],
  initializers: [
    ...[weight('w1', [8, 3, 3, 3]), weight('w2', [5, 8, 3, 3]), weight('g', [5, 1, 1, 1])],
    ...[weight('one8', [8]), weight('zero8', [8])],
    ...[integerTensor('flat', [1, 8, -1]), integerTensor('deep', [8, 3, 3, 3])],
  ],
  nodes: [
    node('Reshape', ['w1', 'flat'], ['f1']),
    node('BatchNormalization', ['f1', 'one8', 'zero8', 'zero8', 'one8'], ['n1', 'mean', 'variance'], {
      training_mode: 1,
    }),
    node('Reshape', ['n1', 'deep'], ['v1']),
    node('Conv', ['x', 'v1'], ['h'], { pads: [1, 1, 1, 1] }),
    node('Relu', ['h'], ['a']),
    // Weight norm: the direction and the length of a filter.
    node('ReduceL2', ['w2'], ['length'], { axes: [1, 2, 3] }),
    node('Div', ['g', 'length'], ['scale']),
    node('Mul', ['w2', 'scale'], ['v2']),
    node('Conv', ['a', 'v2'], ['y'], { pads: [1, 1, 1, 1] }),
  ],
});

it('weights that the graph normalises become constants of the same values', async () => {
  const folded = await foldWeights(standardised, runtime);
  expect(folded.graph.nodes.map(({ opType }) => opType)).toEqual(['Conv', 'Relu', 'Conv']);
  expect(folded.graph.initializers.map(({ name }) => name).sort()).toEqual(['v1', 'v2']);
  const x = Float32Array.from({ length: 108 }, () => normal(random));
  const run = async (model: Model) => {
    const session = await runtime.load(encodeModel(model));
    const { y } = await session.run({ x: runtime.tensor('float32', x, [1, 3, 6, 6]) }, ['y']);
    await session.release();
    return y!.data as Float32Array;
  };
  const expected = await run(standardised);
  (await run(folded)).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
});

it('and lose channels without a change to the others', async () => {
  const { grouping, prove } = await pruneAtRandom(standardised, runtime);
  expect(grouping.groups.map(({ size }) => size)).toEqual([8]);
  expect((await prove()).passed).toBe(true);
});

it('leaves other constant expressions, and what a caller may feed, as the file has them', async () => {
  const scaled = model({
    inputs: [value('x', [1, 3]), value('fed', [3, 4])],
    outputs: [value('y', [1, 4]), value('norm', [1, 1])],
    initializers: [weight('w', [3, 4]), weight('fed', [3, 4]), weight('s', [1, 4])],
    nodes: [
      node('Mul', ['w', 's'], ['scaled']),
      node('Softmax', ['fed'], ['soft']),
      node('Add', ['scaled', 'soft'], ['sum']),
      node('MatMul', ['x', 'sum'], ['y']),
      node('ReduceSum', ['w'], ['norm'], { keepdims: 1 }),
    ],
  });
  expect(await foldWeights(scaled, runtime)).toBe(scaled);
});
