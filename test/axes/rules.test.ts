import { describe, expect, it } from 'vitest';
import { formatNotation, parseNotation } from '../../src/axes/notation.js';
import { NoRelation, type OpContext } from '../../src/axes/rule.js';
import { axisRuleFamilies, axisRules } from '../../src/axes/rules/index.js';
import type { Attribute, Node } from '../../src/onnx/model.js';
import { ops } from '../../src/ops/index.js';

interface Case {
  readonly op: string;
  /** Dims by input; undefined for an absent one. */
  readonly inputs: readonly (readonly number[] | undefined)[];
  readonly outputs: readonly (readonly number[])[];
  readonly attributes?: Readonly<Record<string, number | readonly number[] | string>>;
  /** Values of parameters that may be inputs. */
  readonly parameters?: Readonly<Record<string, readonly number[]>>;
  /** Values of constant inputs. */
  readonly constants?: Readonly<Record<number, readonly number[]>>;
  readonly opset?: number;
}

function attribute(name: string, value: number | readonly number[] | string): Attribute {
  const base = { name, docString: '', reference: '' };
  if (typeof value === 'number') return { ...base, type: 'int', value: BigInt(value) };
  if (typeof value === 'string') return { ...base, type: 'string', value: new TextEncoder().encode(value) };
  return { ...base, type: 'ints', value: value.map(BigInt) };
}

/** The notation that a rule states for a node. */
function notationOf({
  op,
  inputs,
  outputs,
  attributes = {},
  parameters = {},
  constants = {},
  opset = 17,
}: Case): string {
  const node: Node = {
    name: 'node',
    opType: op,
    domain: '',
    inputs: inputs.map((dims, i) => (dims ? `x${i}` : '')),
    outputs: outputs.map((_, i) => `y${i}`),
    attributes: new Map(Object.entries(attributes).map(([name, value]) => [name, attribute(name, value)])),
    docString: '',
  };
  const context: OpContext = {
    node,
    opset,
    inputCount: inputs.length,
    outputCount: outputs.length,
    has: (input) => inputs[input] !== undefined,
    shape: (input) => inputs[input]!,
    outputShape: (output = 0) => outputs[output]!,
    isParameter: () => false,
    numbers: (input) => constants[input]!,
    parameter: (name) => parameters[name],
  };
  const rule = axisRules.get(op)!;
  const result = typeof rule === 'function' ? rule(context) : rule;
  const notation = typeof result === 'string' ? result : result.notation;
  expect(formatNotation(parseNotation(notation))).toBe(notation);
  return notation;
}

const image = [1, 8, 5, 5];

const table: [Case, string][] = [
  [
    { op: 'Conv', inputs: [image, [4, 8, 3, 3], [4]], outputs: [[1, 4, 5, 5]] },
    'n (g ci) #…, (g co) ci #…, (g co) -> n (g co) #…',
  ],
  [
    { op: 'Conv', inputs: [image, [8, 2, 3, 3]], outputs: [image], attributes: { group: 4 } },
    'n (g ci) #…, (g co) ci #… -> n (g co) #…',
  ],
  [
    { op: 'ConvTranspose', inputs: [image, [8, 3, 2, 2], [3]], outputs: [[1, 3, 10, 10]] },
    'n (g ci) #…, (g ci) co #…, (g co) -> n (g co) #…',
  ],
  [{ op: 'Gemm', inputs: [[2, 8], [8, 4], [4]], outputs: [[2, 4]] }, 'i k, k j, j -> i j'],
  [
    {
      op: 'Gemm',
      inputs: [
        [8, 2],
        [4, 8],
        [1, 4],
      ],
      outputs: [[2, 4]],
      attributes: { transA: 1, transB: 1 },
    },
    'k i, j k, 1 j -> i j',
  ],
  [
    {
      op: 'MatMul',
      inputs: [
        [2, 3, 8],
        [8, 4],
      ],
      outputs: [[2, 3, 4]],
    },
    '… i k, … k j -> … i j',
  ],
  [{ op: 'MatMul', inputs: [[8], [8, 4]], outputs: [[4]] }, 'k, … k j -> … j'],
  [{ op: 'MatMul', inputs: [[3, 8], [8]], outputs: [[3]] }, '… i k, k -> … i'],
  [
    { op: 'BatchNormalization', inputs: [image, [8], [8], [8], [8]], outputs: [image] },
    'n c …, c, c, c, c -> n c …',
  ],
  [
    {
      op: 'BatchNormalization',
      inputs: [image, [8], [8], [8], [8]],
      outputs: [image, [8], [8]],
      attributes: { training_mode: 1 },
    },
    '#n c #…, c, c, c, c -> #n c #…, c, c',
  ],
  [{ op: 'InstanceNormalization', inputs: [image, [8], [8]], outputs: [image] }, 'a b c d, b, b -> a b c d'],
  [{ op: 'LayerNormalization', inputs: [[1, 5, 8], [8], [8]], outputs: [[1, 5, 8]] }, 'a b c, c, c -> a b c'],
  [
    {
      op: 'LayerNormalization',
      inputs: [
        [1, 5, 8],
        [5, 8],
      ],
      outputs: [
        [1, 5, 8],
        [1, 1, 1],
      ],
      attributes: { axis: 1 },
    },
    'a b c, b c -> a b c, a 1 1',
  ],
  [{ op: 'RMSNormalization', inputs: [[1, 5, 8], [8]], outputs: [[1, 5, 8]] }, 'a b c, c -> a b c'],
  [{ op: 'SimplifiedLayerNormalization', inputs: [[5, 8], [8]], outputs: [[5, 8]] }, 'a b, b -> a b'],
  [
    {
      op: 'GroupNormalization',
      inputs: [image, [8], [8]],
      outputs: [image],
      attributes: { num_groups: 2 },
      opset: 21,
    },
    'n (g c) s0 s1, (g c), (g c) -> n (g c) s0 s1',
  ],
  [
    {
      op: 'GroupNormalization',
      inputs: [image, [2], [2]],
      outputs: [image],
      attributes: { num_groups: 2 },
      opset: 18,
    },
    'n (g c) s0 s1, g, g -> n (g c) s0 s1',
  ],
  [{ op: 'LpNormalization', inputs: [[2, 8]], outputs: [[2, 8]] }, 'a #b -> a #b'],
  [{ op: 'LRN', inputs: [image], outputs: [image] }, 'n #c … -> n #c …'],
  [{ op: 'Softmax', inputs: [[1, 4, 7, 7]], outputs: [[1, 4, 7, 7]] }, 'a b c #d -> a b c #d'],
  [{ op: 'Softmax', inputs: [[2, 4, 7]], outputs: [[2, 4, 7]], opset: 11 }, 'a #b #c -> a #b #c'],
  [{ op: 'LogSoftmax', inputs: [[2, 4]], outputs: [[2, 4]], attributes: { axis: 0 } }, '#a b -> #a b'],
  [{ op: 'Hardmax', inputs: [[2, 4]], outputs: [[2, 4]] }, 'a #b -> a #b'],
  ...['MaxPool', 'AveragePool', 'LpPool', 'GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'].map(
    (op): [Case, string] => [{ op, inputs: [image], outputs: [[1, 8, 1, 1]] }, 'n c #… -> n c #…'],
  ),
  ...[
    'ReduceSum',
    'ReduceSumSquare',
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSum',
    'ReduceMean',
    'ReduceMax',
    'ReduceMin',
  ].map((op): [Case, string] => [
    { op, inputs: [[1, 5, 8]], outputs: [[1, 5, 1]], parameters: { axes: [-1] } },
    'a b c -> a b 1',
  ]),
  ...['ReduceProd', 'ReduceLogSumExp'].map((op): [Case, string] => [
    { op, inputs: [[1, 5, 8]], outputs: [[1, 8]], parameters: { axes: [1] }, attributes: { keepdims: 0 } },
    'a #b c -> a c',
  ]),
  [
    { op: 'ReduceSum', inputs: [[5, 8], [0]], outputs: [[5, 8]], attributes: { noop_with_empty_axes: 1 } },
    '…, _ -> …',
  ],
  [{ op: 'ReduceSum', inputs: [[5, 8]], outputs: [[1, 1]] }, 'a b -> 1 1'],
  ...['ArgMax', 'ArgMin'].map((op): [Case, string] => [
    { op, inputs: [[5, 8]], outputs: [[5, 1]], attributes: { axis: 1 } },
    'a #b -> a 1',
  ]),
  [
    { op: 'Reshape', inputs: [[1, 6, 32], [4]], outputs: [[1, 6, 4, 8]] },
    '1 x0a (y1a y1b), _ -> 1 x0a y1a y1b',
  ],
  [
    { op: 'Reshape', inputs: [[6, 4], [2]], outputs: [[8, 3]] },
    'x0a x0b, _ -> y0a y0b; (x0a x0b) = (y0a y0b)',
  ],
  [{ op: 'Flatten', inputs: [[1, 8, 5, 5]], outputs: [[1, 200]] }, '1 x0a x0b x0c -> 1 (x0a x0b x0c)'],
  [{ op: 'Squeeze', inputs: [[1, 8, 1, 1]], outputs: [[1, 8]] }, '1 x0a 1 1 -> 1 x0a'],
  [{ op: 'Unsqueeze', inputs: [[8], [1]], outputs: [[1, 8, 1]] }, 'x0a, _ -> 1 x0a 1'],
  [
    { op: 'Transpose', inputs: [[2, 3, 4]], outputs: [[2, 4, 3]], attributes: { perm: [0, 2, 1] } },
    'a b c -> a c b',
  ],
  [{ op: 'Transpose', inputs: [[2, 3, 4]], outputs: [[4, 3, 2]] }, 'a b c -> c b a'],
  [{ op: 'Expand', inputs: [[1, 4, 1, 8], [4]], outputs: [[1, 4, 2, 8]] }, 'a b 1 d, _ -> a b c d'],
  [
    { op: 'Tile', inputs: [[2, 3], [2]], outputs: [[2, 6]], parameters: { repeats: [1, 2] } },
    'a b, _ -> a (r1 b)',
  ],
  [
    { op: 'Concat', inputs: [image, [1, 4, 5, 5]], outputs: [[1, 12, 5, 5]], attributes: { axis: 1 } },
    'a p0 c d, a p1 c d -> a (p0 + p1) c d',
  ],
  [
    {
      op: 'Split',
      inputs: [[1, 5, 9], [3]],
      outputs: [
        [1, 5, 3],
        [1, 5, 6],
      ],
      attributes: { axis: -1 },
    },
    'a b (p0 + p1), _ -> a b p0, a b p1',
  ],
  [
    { op: 'Pad', inputs: [[1, 4], [4]], outputs: [[1, 7]], parameters: { pads: [0, 1, 0, 2] } },
    'a b, _ -> a (#bbefore + b + #bafter)',
  ],
  [
    {
      op: 'Pad',
      inputs: [[1, 4], [4]],
      outputs: [[1, 6]],
      parameters: { pads: [0, 1, 0, 1] },
      attributes: { mode: 'reflect' },
    },
    'a #b, _ -> a #bpadded',
  ],
  [
    { op: 'DepthToSpace', inputs: [[1, 8, 3, 3]], outputs: [[1, 2, 6, 6]], attributes: { blocksize: 2 } },
    'n (#p #q c) h w -> n c (h #p) (w #q)',
  ],
  [
    {
      op: 'DepthToSpace',
      inputs: [[1, 8, 3, 3]],
      outputs: [[1, 2, 6, 6]],
      attributes: { blocksize: 2, mode: 'CRD' },
    },
    'n (c #p #q) h w -> n c (h #p) (w #q)',
  ],
  [
    { op: 'SpaceToDepth', inputs: [[1, 2, 6, 6]], outputs: [[1, 8, 3, 3]], attributes: { blocksize: 2 } },
    'n c (h #p) (w #q) -> n (#p #q c) h w',
  ],
  [
    {
      op: 'Slice',
      inputs: [[1, 9], [1], [1], [1]],
      outputs: [[1, 3]],
      parameters: { starts: [2], ends: [5], axes: [1] },
    },
    'a (bbefore + b + bafter), _, _, _ -> a b',
  ],
  [
    {
      op: 'Slice',
      inputs: [[1, 9], [1], [1], [1], [1]],
      outputs: [[1, 5]],
      parameters: { starts: [0], ends: [9], axes: [1], steps: [2] },
    },
    'a #b, _, _, _, _ -> a #bpicked',
  ],
  [
    {
      op: 'Slice',
      inputs: [[1, 8], [1], [1], [1], [1]],
      outputs: [[1, 4]],
      parameters: { starts: [1], ends: [8], axes: [1], steps: [2] },
    },
    'a (b #bstep), _, _, _, _ -> a b',
  ],
  [
    {
      op: 'Slice',
      inputs: [[1, 8], [1], [1], [1], [1]],
      outputs: [[1, 3]],
      parameters: { starts: [1], ends: [7], axes: [1], steps: [2] },
    },
    'a #b, _, _, _, _ -> a #bpicked',
  ],
  [
    {
      op: 'Gather',
      inputs: [
        [100, 8],
        [1, 5],
      ],
      outputs: [[1, 5, 8]],
    },
    '#a b, i0 i1 -> i0 i1 b',
  ],
  [{ op: 'Gather', inputs: [[1, 5, 8], []], outputs: [[1, 8]], attributes: { axis: 1 } }, 'a #b c,  -> a c'],
  [
    {
      op: 'LSTM',
      inputs: [[7, 1, 5], [1, 32, 5], [1, 32, 8], [1, 64], undefined, [1, 1, 8], [1, 1, 8]],
      outputs: [
        [7, 1, 1, 8],
        [1, 1, 8],
      ],
      attributes: { hidden_size: 8 },
    },
    '#s n i, #d (4 h) i, #d (4 h) h, #d (8 h), _, #d n h, #d n h -> #s #d n h, #d n h',
  ],
  [
    {
      op: 'GRU',
      inputs: [
        [1, 7, 5],
        [2, 24, 5],
        [2, 24, 8],
      ],
      outputs: [[1, 7, 2, 8]],
      attributes: { hidden_size: 8, layout: 1 },
    },
    'n #s i, #d (3 h) i, #d (3 h) h -> n #s #d h',
  ],
  [
    {
      op: 'RNN',
      inputs: [
        [7, 1, 5],
        [1, 8, 5],
        [1, 8, 8],
      ],
      outputs: [[7, 1, 1, 8]],
      attributes: { hidden_size: 8 },
    },
    '#s n i, #d (1 h) i, #d (1 h) h -> #s #d n h',
  ],
  [{ op: 'ConstantOfShape', inputs: [[2]], outputs: [[3, 8]] }, '_ -> a b'],
  [{ op: 'Shape', inputs: [image], outputs: [[4]] }, '… -> #…'],
  [{ op: 'Size', inputs: [image], outputs: [[]] }, '… -> #…'],
  [{ op: 'Range', inputs: [[], [], []], outputs: [[5]] }, '_, _, _ -> #a'],
  [
    {
      op: 'Einsum',
      inputs: [
        [1, 4, 5, 8],
        [1, 4, 7, 8],
      ],
      outputs: [[1, 4, 5, 7]],
      attributes: { equation: 'bhid, bhjd -> bhij' },
    },
    'b h i d, b h j d -> b h i j',
  ],
  [
    {
      op: 'Einsum',
      inputs: [
        [3, 5, 8],
        [8, 4],
      ],
      outputs: [[3, 5, 4]],
      attributes: { equation: '...ij,jk' },
    },
    '… i j, j k -> … i k',
  ],
  [{ op: 'Einsum', inputs: [[5, 8]], outputs: [[5]], attributes: { equation: 'ij->i' } }, 'i j -> i'],
  [
    { op: 'ConvInteger', inputs: [image, [4, 8, 3, 3], [], [4]], outputs: [[1, 4, 5, 5]] },
    'n (g ci) #…, (g co) ci #…, , (g co) -> n (g co) #…',
  ],
  [
    {
      op: 'QLinearConv',
      inputs: [image, [], [], [4, 8, 3, 3], [4], [4], [], [], [4]],
      outputs: [[1, 4, 5, 5]],
    },
    'n (g ci) #…, , , (g co) ci #…, (g co), (g co), , , (g co) -> n (g co) #…',
  ],
  [
    { op: 'MatMulInteger', inputs: [[2, 8], [8, 4], [], [4]], outputs: [[2, 4]] },
    '… i k, … k j, , j -> … i j',
  ],
  [
    { op: 'QLinearMatMul', inputs: [[2, 8], [], [], [8, 4], [4], [1], [], []], outputs: [[2, 4]] },
    '… i k, , , … k j, j, 1, ,  -> … i j',
  ],
  [
    { op: 'MeanVarianceNormalization', inputs: [image], outputs: [image], attributes: { axes: [0, 2, 3] } },
    'a b c d -> a b c d',
  ],
  [
    {
      op: 'Resize',
      inputs: [image, [0], [4]],
      outputs: [[1, 8, 10, 10]],
      parameters: { scales: [1, 1, 2, 2] },
    },
    'a b #c #d, _, _ -> a b #cresized #dresized',
  ],
  [
    { op: 'Resize', inputs: [image, [0], [4]], outputs: [image], parameters: { scales: [1, 1.05, 1, 1] } },
    'a #b c d, _, _ -> a #bresized c d',
  ],
  [
    {
      op: 'Upsample',
      inputs: [image, [4]],
      outputs: [[1, 8, 10, 5]],
      parameters: { scales: [1, 1, 2, 1] },
      opset: 9,
    },
    'a b #c d, _ -> a b #cresized d',
  ],
  [{ op: 'Trilu', inputs: [[1, 5, 5], []], outputs: [[1, 5, 5]] }, '… #i #j, _ -> … #i #j'],
  [{ op: 'ReverseSequence', inputs: [[5, 1, 8], [1]], outputs: [[5, 1, 8]] }, '#a #b c, _ -> #a #b c'],
  [
    {
      op: 'GatherElements',
      inputs: [
        [2, 5, 8],
        [2, 3, 8],
      ],
      outputs: [[2, 3, 8]],
      attributes: { axis: 1 },
    },
    'a #b c, a #bindex c -> a #bindex c',
  ],
  ...['ScatterElements', 'Scatter'].map((op): [Case, string] => [
    {
      op,
      inputs: [
        [2, 5, 8],
        [2, 3, 7],
        [2, 3, 7],
      ],
      outputs: [[2, 5, 8]],
      attributes: { axis: 1 },
    },
    'a #b #c, a #bindex #cindex, a #bindex #cindex -> a #b #c',
  ]),
  [
    {
      op: 'GatherND',
      inputs: [
        [5, 6, 8],
        [3, 2],
      ],
      outputs: [[3, 8]],
    },
    '#a #b c, i0 #i1 -> i0 c',
  ],
  [
    {
      op: 'GatherND',
      inputs: [
        [5, 6, 8],
        [5, 3, 1],
      ],
      outputs: [[5, 3, 8]],
      attributes: { batch_dims: 1 },
    },
    'i0 #b c, i0 i1 #i2 -> i0 i1 c',
  ],
  [
    {
      op: 'ScatterND',
      inputs: [
        [5, 6, 8],
        [3, 2],
        [3, 8],
      ],
      outputs: [[5, 6, 8]],
    },
    '#a #b c, #i0 #i1, #i0 c -> #a #b c',
  ],
  [
    {
      op: 'TopK',
      inputs: [[2, 8, 5], [1]],
      outputs: [
        [2, 3, 5],
        [2, 3, 5],
      ],
      attributes: { axis: 1 },
    },
    'a #b c, _ -> a #k c, a #k c',
  ],
  [{ op: 'OneHot', inputs: [[2, 3], [], [2]], outputs: [[2, 3, 10]] }, 'i0 i1, _, _ -> i0 i1 #depth'],
  [
    { op: 'Compress', inputs: [[2, 3], [3]], outputs: [[2, 2]], attributes: { axis: 1 } },
    'a #b, _ -> a #picked',
  ],
  [{ op: 'CumSum', inputs: [[2, 3], []], outputs: [[2, 3]], constants: { 1: [1] } }, 'a #b, _ -> a #b'],
  [{ op: 'RoiAlign', inputs: [image, [3, 4], [3]], outputs: [[3, 8, 7, 7]] }, 'n c #…, #r #k, #r -> #r c #…'],
  [{ op: 'GridSample', inputs: [image, [1, 4, 4, 2]], outputs: [[1, 8, 4, 4]] }, 'n c #…, n #… -> n c #…'],
  [{ op: 'MaxRoiPool', inputs: [image, [3, 5]], outputs: [[3, 8, 2, 2]] }, 'n c #…, #r #k -> #r c #…'],
  [
    { op: 'TensorScatter', inputs: [[2, 4, 9, 6], [2, 4, 1, 6], [2]], outputs: [[2, 4, 9, 6]] }, // prettier-ignore
    'a b #c d, a b #update d, _ -> a b #c d',
  ],
  [
    {
      op: 'DeformConv',
      inputs: [image, [4, 8, 3, 3], [1, 36, 3, 3]],
      outputs: [[1, 4, 3, 3]],
      attributes: { offset_group: 2 },
    },
    '#n (#g #ci) #…, (#g #co) #ci #…, #n #o #… -> #n (#g #co) #…',
  ],
  [
    { op: 'DeformConv', inputs: [image, [4, 8, 3, 3], [1, 18, 3, 3], [4]], outputs: [[1, 4, 3, 3]] },
    'n (g ci) #…, (g co) ci #…, n #o #…, (g co) -> n (g co) #…',
  ],
  [
    { op: 'Col2Im', inputs: [[1, 32, 9], [2], [2]], outputs: [[1, 8, 6, 6]] },
    'n (c #block) #l, _, _ -> n c #…',
  ],
  [
    {
      op: 'CenterCropPad',
      inputs: [image, [2]],
      outputs: [[1, 8, 4, 5]],
      attributes: { axes: [2, 3] },
    },
    'a b #c #d, _ -> a b #ccropped #d',
  ],
  [{ op: 'Det', inputs: [[8, 3, 3]], outputs: [[8]] }, '… #i #j -> …'],
  [
    { op: 'DFT', inputs: [[2, 8, 4, 1]], outputs: [[2, 8, 4, 2]] },
    'a #b c #d -> a #btransformed c #dtransformed',
  ],
  [{ op: 'STFT', inputs: [[2, 16], [], undefined, []], outputs: [[2, 3, 5, 2]] }, 'n #s, _, _, _ -> n #f #bins #complex'], // prettier-ignore
  [{ op: 'DynamicQuantizeLinear', inputs: [[2, 8]], outputs: [[2, 8], [], []] }, 'a b -> a b, , '],
  ...['QuantizeLinear', 'DequantizeLinear'].flatMap((op): [Case, string][] => [
    [{ op, inputs: [image, [], []], outputs: [image] }, 'a b c d, ,  -> a b c d'],
    [{ op, inputs: [image, [8]], outputs: [image] }, 'a b c d, b -> a b c d'],
  ]),
];

describe('axis rules print their notation', () => {
  it.each(Object.keys(axisRuleFamilies.elementwise!))('%s', (op) => {
    const inputs = ops.get(op)!.inputs.map(() => image);
    expect(notationOf({ op, inputs, outputs: [image] })).toBe(`${inputs.map(() => '…').join(', ')} -> …`);
  });
  it.each(table.map(([given, expected]) => [`${given.op}: ${expected}`, given, expected] as const))(
    '%s',
    (_, given, expected) => {
      expect(notationOf(given)).toBe(expected);
    },
  );
  it('covers every op', () => {
    const tested = new Set(table.map(([{ op }]) => op));
    // Those of one family are tested at once, the others have a table of their own, in fused-rules.test.ts.
    const elsewhere = ['elementwise', 'attention', 'fused', 'opaque'];
    const families = Object.entries(axisRuleFamilies).filter(([family]) => !elsewhere.includes(family));
    expect(families.length).toBe(Object.keys(axisRuleFamilies).length - elsewhere.length);
    const ops = families.flatMap(([, family]) => Object.keys(family));
    expect(ops.filter((op) => !tested.has(op))).toEqual([]);
  });
});

describe('a rule says why it does not apply', () => {
  it.each(Object.keys(axisRuleFamilies.opaque!))('%s, to any node', (op) => {
    expect(() => notationOf({ op, inputs: [image], outputs: [image] })).toThrow(NoRelation);
  });
  const refusal = (given: Case): string => {
    try {
      return notationOf(given);
    } catch (error) {
      if (error instanceof NoRelation) return error.message;
      throw error;
    }
  };
  it('BatchNormalization in training mode', () => {
    const outputs = [image, [8], [8]];
    expect(refusal({ op: 'BatchNormalization', inputs: [image, [8], [8], [8], [8]], outputs })).toBe(
      'it is in training mode',
    );
  });
  it('Reshape of an unknown size', () => {
    expect(refusal({ op: 'Reshape', inputs: [[NaN, 4], [2]], outputs: [[NaN, 2, 2]] })).toBe(
      'a size is unknown or zero',
    );
  });
});
