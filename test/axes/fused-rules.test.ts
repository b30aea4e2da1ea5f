import { expect, it } from 'vitest';
import { formatNotation, parseNotation } from '../../src/axes/notation.js';
import { NoRelation, type OpContext } from '../../src/axes/rule.js';
import { attention } from '../../src/axes/rules/attention.js';
import { fusedContraction } from '../../src/axes/rules/fused-contraction.js';
import { fused } from '../../src/axes/rules/fused.js';
import { rotary } from '../../src/axes/rules/rotary.js';
import { node } from '../onnx/build.js';

interface Case {
  readonly inputs: readonly (readonly number[] | undefined)[];
  readonly outputs: readonly (readonly number[])[];
  readonly ints?: Readonly<Record<string, number | readonly number[]>>;
}

const rules = { ...attention, ...rotary, ...fusedContraction, ...fused };

function notationOf(op: string, { inputs, outputs, ints = {} }: Case): string {
  const attributes = Object.fromEntries(
    Object.entries(ints).map(([name, value]) => [
      name,
      typeof value === 'number'
        ? ({ type: 'int', value: BigInt(value) } as const)
        : ({ type: 'ints', value: value.map(BigInt) } as const),
    ]),
  );
  const context: OpContext = {
    node: node(op, [], [], attributes),
    opset: 1,
    inputCount: inputs.length,
    outputCount: outputs.length,
    has: (input) => inputs[input] !== undefined,
    shape: (input) => inputs[input]!,
    outputShape: (output = 0) => outputs[output]!,
    isParameter: () => false,
    numbers: () => [],
    parameter: () => undefined,
  };
  const rule = rules[op]!;
  const result = typeof rule === 'function' ? rule(context) : rule;
  const notation = typeof result === 'string' ? result : result.notation;
  expect(formatNotation(parseNotation(notation))).toBe(notation);
  return notation;
}

const tokens = [2, 5, 24];
const image = [1, 8, 5, 5];
const ms = (op: string): string => `com.microsoft::${op}`;
const pair = [image, [], [], image, [], [], [], []];

const table: readonly (readonly [string, Case, string])[] = [
  [
    ms('GatedRMSNorm'),
    { inputs: [tokens, [8], tokens], outputs: [tokens] },
    '… (h c), c, … (h c) -> … (h c)',
  ],
  [
    ms('NhwcConv'),
    {
      inputs: [
        [1, 5, 5, 3],
        [4, 3, 3, 3],
      ],
      outputs: [[1, 5, 5, 4]],
    },
    '#n #… (#g #ci), (#g #co) #ci #… -> #n #… (#g #co)',
  ],
  [ms('Gelu'), { inputs: [tokens], outputs: [tokens] }, '… -> …'],
  [ms('QuickGelu'), { inputs: [tokens], outputs: [tokens] }, '… -> …'],
  [ms('BiasGelu'), { inputs: [tokens, [24]], outputs: [tokens] }, '…, … -> …'],
  [ms('FastGelu'), { inputs: [tokens], outputs: [tokens] }, '… -> …'],
  [
    ms('FusedMatMul'),
    { inputs: [tokens, [8, 24]], outputs: [[2, 5, 8]], ints: { transB: 1 } },
    '… i k, … j k -> … i j',
  ],
  [ms('FusedGemm'), { inputs: [[5, 24], [24, 8], [8]], outputs: [[5, 8]] }, 'i k, k j, j -> i j'],
  [
    ms('FusedConv'),
    { inputs: [image, [4, 8, 1, 1], undefined, [1, 4, 5, 5]], outputs: [[1, 4, 5, 5]] },
    'n (g ci) #…, (g co) ci #…, _, n (g co) #… -> n (g co) #…',
  ],
  [
    ms('CausalConvWithState'),
    {
      inputs: [
        [2, 8, 5],
        [8, 1, 3],
      ],
      outputs: [
        [2, 8, 5],
        [2, 8, 2],
      ],
    },
    'n c #l, c 1 #k -> n c #l, n c #q',
  ],
  [
    ms('NhwcConv'),
    { inputs: [[1, 5, 5, 8], [4, 3, 3, 8], [4]], outputs: [[1, 5, 5, 4]] },
    'n #… (g ci), (g co) #… ci, (g co) -> n #… (g co)',
  ],
  [
    ms('NhwcConv'),
    {
      inputs: [
        [1, 5, 5, 8],
        [4, 8, 3, 3],
      ],
      outputs: [[1, 5, 5, 4]],
    },
    'n #… (g ci), (g co) ci #… -> n #… (g co)',
  ],
  [
    ms('SkipLayerNormalization'),
    { inputs: [tokens, [1, 5, 24], [24], undefined, [24]], outputs: [tokens, [], [], tokens] },
    'a b c, 1 b c, c, _, c -> a b c, a b 1, a b 1, a b c',
  ],
  [
    ms('SkipSimplifiedLayerNormalization'),
    { inputs: [tokens, tokens, [24]], outputs: [tokens] },
    'a b c, a b c, c -> a b c',
  ],
  [
    ms('EmbedLayerNormalization'),
    {
      inputs: [[2, 5], undefined, [99, 24], [9, 24], undefined, [24], [24]],
      outputs: [tokens, [2]],
    },
    'n #s, _, #v h, #p h, _, h, h -> n #s h, n',
  ],
  [
    ms('MatMulNBits'),
    { inputs: [[2, 5, 32], [24, 2, 8], [48]], outputs: [tokens], ints: { K: 32, N: 24, block_size: 16 } },
    '… (k #e), n k #b, (n k) -> … n',
  ],
  [
    ms('MatMulNBits'),
    {
      inputs: [[2, 5, 32], [24, 2, 8], [48], [24]],
      outputs: [tokens],
      ints: { K: 32, N: 24, block_size: 16 },
    },
    '… (#k #e), n #k #b, (n #k), (n #z) -> … n',
  ],
  [ms('QLinearAdd'), { inputs: pair, outputs: [image] }, '…, , , …, , , ,  -> …'],
  [ms('QLinearMul'), { inputs: pair, outputs: [image] }, '…, , , …, , , ,  -> …'],
  [ms('QLinearSigmoid'), { inputs: [image, [], [], [], []], outputs: [image] }, '…, , , ,  -> …'],
  [ms('QLinearLeakyRelu'), { inputs: [image, [], [], [], []], outputs: [image] }, '…, , , ,  -> …'],
  [
    ms('QLinearAveragePool'),
    { inputs: [image, [], [], [], []], outputs: [image] },
    'n c #…, , , ,  -> n c #…',
  ],
  [
    ms('QLinearGlobalAveragePool'),
    { inputs: [[1, 5, 5, 8], [], [], [], []], outputs: [[1, 1, 1, 8]], ints: { channels_last: 1 } },
    'n #… c, , , ,  -> n #… c',
  ],
  [
    ms('QLinearConcat'),
    { inputs: [[], [], [1, 8], [], [], [1, 4], [], []], outputs: [[1, 12]] },
    ', , a p0, , , a p1, ,  -> a (p0 + p1)',
  ],
  [
    ms('QGemm'),
    { inputs: [[5, 24], [], [], [24, 8], [8], [], [8]], outputs: [[5, 8]] },
    'i k, , , k j, j, , j -> i j',
  ],
  [
    ms('MatMulIntegerToFloat'),
    { inputs: [[5, 24], [24, 8], [], [8], [], [], [8]], outputs: [[5, 8]] },
    '… i k, … k j, , j, , , j -> … i j',
  ],
  [
    ms('DynamicQuantizeMatMul'),
    { inputs: [[2, 5, 24], [24, 8], [8], [1], [8]], outputs: [[2, 5, 8]] },
    '… i k, k j, j, 1, j -> … i j',
  ],
  [
    'Attention',
    {
      inputs: [
        [2, 4, 5, 6],
        [2, 2, 7, 6],
        [2, 2, 7, 3],
        [5, 7],
      ],
      outputs: [[2, 4, 5, 3]],
    },
    '#n (k r) #s d, #n k #t d, #n k #t v, #sm #tm -> #n (k r) #s v',
  ],
  [
    'Attention',
    {
      inputs: [tokens, [2, 7, 12], [2, 7, 8]],
      outputs: [[2, 5, 16]],
      ints: { q_num_heads: 4, kv_num_heads: 2 },
    },
    '#n #s (k r d), #n #t (k d), #n #t (k v) -> #n #s (k r v)',
  ],
  [
    'RotaryEmbedding',
    {
      inputs: [
        [2, 4, 5, 6],
        [9, 3],
        [9, 3],
        [2, 5],
      ],
      outputs: [[2, 4, 5, 6]],
    },
    '#n h #s (e + e), #m e, #m e, _ -> #n h #s (e + e)',
  ],
  [
    ms('RotaryEmbedding'),
    {
      inputs: [tokens, [2, 5], [9, 2], [9, 2]],
      outputs: [tokens],
      ints: { num_heads: 4, rotary_embedding_dim: 4, interleaved: 1 },
    },
    '#n #s (h (e 2 + d)), _, #m e, #m e -> #n #s (h (e 2 + d))',
  ],
  [
    ms('Attention'),
    {
      inputs: [tokens, [24, 20], [20]],
      outputs: [[2, 5, 8]],
      ints: { num_heads: 2, qkv_hidden_sizes: [6, 6, 8] },
    },
    '#n #s i, i (h d + h d + h v), (h d + h d + h v) -> #n #s (h v)',
  ],
  [
    ms('Attention'),
    {
      inputs: [tokens, [24, 24], [24], undefined, [2, 2, 2, 3, 4]],
      outputs: [
        [2, 5, 8],
        [2, 2, 2, 8, 4],
      ],
      ints: { num_heads: 2 },
    },
    '#n #s i, i (h d + h d + h d), (h d + h d + h d), _, 2 #n h #p d -> #n #s (h d), 2 #n h #u d',
  ],
  [
    ms('MultiHeadAttention'),
    {
      inputs: [tokens, tokens, [2, 5, 16], [64], undefined, [1, 4, 5, 5]],
      outputs: [[2, 5, 16]],
      ints: { num_heads: 4 },
    },
    '#n #s (h d), #n #t (h d), #n #t (h v), (h d + h d + h v), _, 1 h #sm #tm -> #n #s (h v)',
  ],
  [
    ms('MultiHeadAttention'),
    { inputs: [[2, 5, 4, 3, 6]], outputs: [tokens], ints: { num_heads: 4 } },
    '#n #s h 3 d -> #n #s (h d)',
  ],
  [
    ms('GroupQueryAttention'),
    {
      inputs: [[2, 5, 64], [2, 5, 32], [2, 5, 32], undefined, undefined, [2], [1]],
      outputs: [[2, 5, 64]],
      ints: { num_heads: 4, kv_num_heads: 2 },
    },
    '#n #s (k r d #o), #n #t (k d #o), #n #t (k d #o), _, _, _, _ -> #n #s (k r d #o)',
  ],
  [
    ms('GroupQueryAttention'),
    {
      inputs: [[2, 5, 128], undefined, undefined, [2, 2, 9, 16], [2, 2, 9, 16], [2], [1]],
      outputs: [[2, 5, 64], [2, 2, 9, 16], [2, 2, 9, 16]], // prettier-ignore
      ints: { num_heads: 4, kv_num_heads: 2, do_rotary: 1 },
    },
    '#n #s (k r #d + k #d + k #d), _, _, #n k #p #d, #n k #p #d, _, _ -> #n #s (k r #d), #n k #u #d, #n k #u #d',
  ],
];

it.each(table)('%s %#', (op, given, expected) => {
  expect(notationOf(op, given)).toBe(expected);
});

it.each([
  [ms('QAttention'), { inputs: [], outputs: [] }, /quantized/],
  [ms('MatMulNBits'), { inputs: [[5, 40]], outputs: [], ints: { K: 40, block_size: 16 } }, /not full/],
] as const)('%s says why it relates nothing', (op, given, reason) => {
  const refused = (): unknown => notationOf(op, given);
  expect(refused).toThrow(NoRelation);
  expect(refused).toThrow(reason);
});

it('covers every op', () => {
  const tested = new Set(table.map(([op]) => op));
  const blocked = [ms('QAttention')];
  expect(Object.keys(rules).filter((op) => !tested.has(op) && !blocked.includes(op))).toEqual([]);
});
