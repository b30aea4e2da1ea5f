import { expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { resolveCriterion } from '../../src/criteria/resolve.js';
import { scoreGroups } from '../../src/criteria/score.js';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { model, node, value } from '../shapes/build-model.js';

const runtime = await nodeRuntime();

const scores = async (dense: Model) => {
  const { grouping, cost } = await analyze(dense, { runtime });
  const [list] = scoreGroups(grouping, resolveCriterion('magnitude')).values();
  return { scores: [...list!], parameters: cost.parameters() };
};

const bytes = (count: number, offset: number) =>
  Array.from({ length: count }, (_, i) => ((37 * i + offset) % 100) - 50);
const [rows, columns] = [bytes(3 * 4, 5), bytes(4 * 2, 11)];
const ends = { inputs: [value('x', [1, 3])], outputs: [value('y')] };

/** Two layers whose quantized weights are read by DequantizeLinear. */
const dequantized = (scales: readonly number[], points: readonly number[]): Model =>
  model({
    ...ends,
    initializers: [
      integerTensor('a', rows, [3, 4], 'int8'),
      floatTensor('as', scales, scales.length > 1 ? [4] : []),
      integerTensor('az', points, points.length > 1 ? [4] : [], 'int8'),
      integerTensor('b', columns, [4, 2], 'int8'),
      floatTensor('bs', [0.5], []),
      integerTensor('bz', [3], [], 'int8'),
    ],
    nodes: [
      node('DequantizeLinear', ['a', 'as', 'az'], ['af'], { axis: 1 }),
      node('DequantizeLinear', ['b', 'bs', 'bz'], ['bf']),
      node('MatMul', ['x', 'af'], ['h']),
      node('MatMul', ['h', 'bf'], ['y']),
    ],
  });

it.each([
  ['tensor', [0.25], [-2]],
  ['channel', [0.25, 0.5, 1, 2], [-2, 0, 1, 7]],
])('weights quantized per %s count as what they stand for', async (_, scales, points) => {
  const at = (list: readonly number[], i: number): number => list[i % list.length]!;
  const floats = model({
    ...ends,
    initializers: [
      floatTensor('a', rows.map((q, i) => (q - at(points, i % 4)) * at(scales, i % 4)), [3, 4]), // prettier-ignore
      floatTensor('b', columns.map((q) => (q - 3) * 0.5), [4, 2]), // prettier-ignore
    ],
    nodes: [node('MatMul', ['x', 'a'], ['h']), node('MatMul', ['h', 'b'], ['y'])],
  });
  const [quantized, expected] = [await scores(dequantized(scales, points)), await scores(floats)];
  quantized.scores.forEach((score, i) => expect(score).toBeCloseTo(expected.scores[i]!, 5));
  const quantizers = scales.length + points.length + 2;
  expect(quantized.parameters).toBe(expected.parameters + quantizers);
});

it('integer products have no scale of their own and are scored all the same', async () => {
  const { scores: found } = await scores(
    model({
      ...ends,
      initializers: [integerTensor('a', rows, [3, 4], 'int8'), integerTensor('b', columns, [4, 2], 'int8')],
      nodes: [
        node('DynamicQuantizeLinear', ['x'], ['xq', 'xs', 'xz']),
        node('MatMulInteger', ['xq', 'a', 'xz'], ['h']),
        node('Cast', ['h'], ['hf'], { to: 1 }),
        node('DynamicQuantizeLinear', ['hf'], ['hq', 'hs', 'hz']),
        node('MatMulInteger', ['hq', 'b', 'hz'], ['o']),
        node('Cast', ['o'], ['y'], { to: 1 }),
      ],
    }),
  );
  expect(new Set(found).size).toBe(4);
});
