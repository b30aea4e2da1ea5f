import { expect, it } from 'vitest';
import { findConstants } from '../../src/ops/constants.js';
import { floatTensor } from '../../src/onnx/values.js';
import { graph } from '../shapes/build-model.js';

it.each([
  ['zeros', [2, 3, 4], () => 0, false],
  [
    'a vector along one axis, repeated along the others',
    [2, 3, 4],
    (i: number) => Math.floor(i / 4) % 3,
    false,
  ],
  ['a matrix', [2, 3, 4], (i: number) => i % 12, true],
  ['a matrix that differs in its last element only', [3, 4], (i: number) => (i === 11 ? 1 : 0), true],
  ['a column', [5, 1], (i: number) => i, false],
] as const)('%s of dims %j', (_, dims, element, tied) => {
  const count = dims.reduce<number>((a, b) => a * b, 1);
  const tensor = floatTensor('t', Array.from({ length: count }, (__, i) => element(i)), dims); // prettier-ignore
  expect(findConstants(graph({ nodes: [], initializers: [tensor] })).get('t')!.tied).toBe(tied);
});
