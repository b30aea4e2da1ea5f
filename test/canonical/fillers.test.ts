import { expect, it } from 'vitest';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
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

/** Two layers that start from the same zeros. */
const stacked = model({
  inputs: [value('x', [5, 1, 4])],
  outputs: [value('y', [5, 1, 1, 6])],
  initializers: [
    ...[weight('w1', [1, 24, 4]), weight('r1', [1, 24, 6])],
    ...[weight('w2', [1, 24, 6]), weight('r2', [1, 24, 6])],
    ...[weight('w3', [6, 6]), floatTensor('zeros', new Float32Array(12), [2, 1, 6])],
    integerTensor('one', [1]),
  ],
  nodes: [
    node('Split', ['zeros'], ['h0', 'c0'], { axis: 0 }),
    node('LSTM', ['x', 'w1', 'r1', '', '', 'h0', 'c0'], ['y1'], { hidden_size: 6 }, 'first'),
    node('Squeeze', ['y1', 'one'], ['x2']),
    node('LSTM', ['x2', 'w2', 'r2', '', '', 'h0', 'c0'], ['y2'], { hidden_size: 6 }, 'second'),
    node('MatMul', ['y2', 'w3'], ['y']),
  ],
});

it('layers that start from the same zeros are pruned each for itself', async () => {
  const { grouping, pruned, prove } = await pruneAtRandom(stacked, runtime);
  expect(grouping.groups.map(({ size }) => size)).toEqual([6, 6]);
  expect((await prove()).passed).toBe(true);
  const state = (index: number) =>
    pruned.graph.nodes.filter(({ opType }) => opType === 'LSTM')[index]!.inputs[5];
  expect(state(0)).not.toBe(state(1));
});

it('and share them again where both lost the same', async () => {
  const only = ({ name }: { readonly name: string }) => name === 'none';
  const { pruned } = await pruneAtRandom(stacked, runtime, { only });
  expect(pruned.graph.nodes).toEqual(stacked.graph.nodes);
});
