/** What exports of models outside the corpus found, as small graphs written by hand. */
import { expect, it } from 'vitest';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import type { Node } from '../../src/onnx/model.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { pruneAtRandom } from '../oracles/pruned.js';
import { model, node, value } from '../shapes/build-model.js';

const runtime = await nodeRuntime();

const weight = (name: string, dims: readonly number[]) => {
  const count = dims.reduce((a, b) => a * b, 1);
  return floatTensor(name, Float32Array.from({ length: count }, (_, i) => Math.sin(1 + 7 * i)), dims); // prettier-ignore
};

/** Neighbouring dims in pairs, as the rotary embeddings of GPT-J and RoFormer take them: (a, b) becomes (-b, a). */
const turnedPairs = (x: string): Node[] => [
  node('Slice', [x, 'zero', 'open', 'last', 'two'], [`${x}_even`]),
  node('Slice', [x, 'one', 'open', 'last', 'two'], [`${x}_odd`]),
  node('Neg', [`${x}_odd`], [`${x}_minus`]),
  node('Unsqueeze', [`${x}_minus`, 'last'], [`${x}_first`]),
  node('Unsqueeze', [`${x}_even`, 'last'], [`${x}_second`]),
  node('Concat', [`${x}_first`, `${x}_second`], [`${x}_pairs`], { axis: -1 }),
  node('Reshape', [`${x}_pairs`, 'flat'], [`${x}_turned`]),
  node('Mul', [x, 'cos'], [`${x}_cos`]),
  node('Mul', [`${x}_turned`, 'sin'], [`${x}_sin`]),
  node('Add', [`${x}_cos`, `${x}_sin`], [`${x}_rotated`]),
];

it('rotary embeddings of neighbouring dims lose whole pairs', async () => {
  const { masks, pruned, prove } = await pruneAtRandom(
    model({
      inputs: [value('x', [2, 4, 5])],
      outputs: [value('y')],
      initializers: [
        weight('wq', [5, 8]),
        weight('wk', [5, 8]),
        weight('cos', [4, 8]),
        weight('sin', [4, 8]),
        integerTensor('zero', [0]),
        integerTensor('one', [1]),
        integerTensor('two', [2]),
        integerTensor('last', [-1]),
        integerTensor('open', [2 ** 53 - 1]),
        integerTensor('flat', [2, 4, 8]),
      ],
      nodes: [
        node('MatMul', ['x', 'wq'], ['q']),
        node('MatMul', ['x', 'wk'], ['k']),
        ...turnedPairs('q'),
        ...turnedPairs('k'),
        node('Transpose', ['k_rotated'], ['keys'], { perm: [0, 2, 1] }),
        node('MatMul', ['q_rotated', 'keys'], ['y']),
      ],
    }),
    runtime,
  );
  expect([...masks.keys()].map(({ size }) => size)).toEqual([4]);
  const dims = pruned.graph.initializers.find(({ name }) => name === 'wq')!.dims;
  expect(dims[1]! % 2).toBe(0);
  expect((await prove()).failure).toBeUndefined();
});
