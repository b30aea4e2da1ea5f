import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import type { AttributeValue, Model, Node, ValueInfo } from '../../src/onnx/model.js';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { graph, model, node } from '../onnx/build.js';

/** Models of kinds that no file of the corpus has: fused for onnxruntime, or quantized. */
const runtime = await nodeRuntime();
const random = randomGenerator('built');

type Dims = readonly number[];
const weights = (name: string, ...dims: Dims): Tensor =>
  floatTensor(name, Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => normal(random) / 4), dims); // prettier-ignore
const scalar = (name: string, value: number): Tensor => floatTensor(name, [value], []);
const bytes = (name: string, dtype: 'int8' | 'uint8', ...dims: Dims): Tensor => {
  const draw = (): number => Math.floor(random() * 100) - (dtype === 'int8' ? 50 : 0);
  return integerTensor(name, Array.from({ length: dims.reduce((a, b) => a * b, 1) }, draw), dims, dtype);
};
const zero = (name: string, dtype: 'int8' | 'uint8', value = 0): Tensor => integerTensor(name, [value], [], dtype);
const int = (value: number): AttributeValue => ({ type: 'int', value: BigInt(value) });
const ms = (op: string, inputs: string, output: string, attributes: Record<string, AttributeValue> = {}): Node =>
  node(op, inputs.split(' ').map((name) => name.replace('_', '')), output.split(' '), attributes, {
    domain: 'com.microsoft',
    name: output.split(' ')[0]!,
  }); // prettier-ignore
const info = (name: string, dtype: 'float32' | 'int32', dims: Dims): ValueInfo => {
  const shape = dims.map((value) => ({ value, denotation: '' }));
  return { name, docString: '', type: { kind: 'tensor', dtype, shape, denotation: '' } };
};

function build(nodes: readonly Node[], inputs: readonly ValueInfo[], tensors: readonly Tensor[]): Model {
  const main = { ...graph(nodes, [], ['y'], tensors), inputs };
  const opsets = { '': 17, 'com.microsoft': 1 };
  // Through the file format, as a user's model comes.
  return decodeModel(
    encodeModel(
      model(main, 17, {
        opsets: new Map(Object.entries(opsets)),
        opsetImports: Object.entries(opsets).map(([domain, version]) => ({ domain, version })),
      }),
    ),
  );
}

const [hidden, heads, inner] = [16, 4, 24];

/** A block of BERT as onnxruntime's optimiser leaves it. */
function fusedBert(): Model {
  const nodes = [
    ms('EmbedLayerNormalization', 'ids types words positions kinds g0 b0', 'x0 mask'),
    ms('Attention', 'x0 wqkv bqkv', 'a', { num_heads: int(heads) }),
    node('MatMul', ['a', 'wo'], ['o'], {}, { name: 'o' }),
    ms('SkipLayerNormalization', 'o x0 g1 b1 bo', 'x1'),
    node('MatMul', ['x1', 'w1'], ['h'], {}, { name: 'h' }),
    ms('BiasGelu', 'h c1', 'f'),
    node('MatMul', ['f', 'w2'], ['z'], {}, { name: 'z' }),
    ms('SkipLayerNormalization', 'z x1 g2 b2 c2', 'x2'),
    node('MatMul', ['x2', 'wy'], ['y'], {}, { name: 'y' }),
  ];
  return build(
    nodes,
    [info('ids', 'int32', [2, 5]), info('types', 'int32', [2, 5])],
    [
      weights('words', 30, hidden),
      weights('positions', 8, hidden),
      weights('kinds', 2, hidden),
      ...['g0', 'b0', 'g1', 'b1', 'g2', 'b2', 'bo', 'c2'].map((name) => weights(name, hidden)),
      weights('wqkv', hidden, 3 * hidden),
      weights('bqkv', 3 * hidden),
      weights('wo', hidden, hidden),
      weights('w1', hidden, inner),
      weights('c1', inner),
      weights('w2', inner, hidden),
      weights('wy', hidden, 3),
    ],
  );
}

/** Separate projections into one attention op. */
function attended(op: 'MultiHeadAttention' | 'GroupQueryAttention'): Model {
  const grouped = op === 'GroupQueryAttention';
  const width = 16;
  const kv = (grouped ? 2 : heads) * width;
  const nodes = [
    node('MatMul', ['x', 'wq'], ['q'], {}, { name: 'q' }),
    node('MatMul', ['x', 'wk'], ['k'], {}, { name: 'k' }),
    node('MatMul', ['x', 'wv'], ['v'], {}, { name: 'v' }),
    grouped
      ? ms(op, 'q k v _ _ lengths total', 'a ka va', { num_heads: int(heads), kv_num_heads: int(2) })
      : ms(op, 'q k v bias', 'a', { num_heads: int(heads) }),
    ms('FusedMatMul', 'a wo', 'y', { transB: int(1) }),
  ];
  return build(
    nodes,
    [info('x', 'float32', [2, 5, 8])],
    [
      weights('wq', 8, heads * width),
      weights('wk', 8, kv),
      weights('wv', 8, kv),
      ...(grouped
        ? [integerTensor('lengths', [4, 4], [2], 'int32'), integerTensor('total', [5], [1], 'int32')]
        : [weights('bias', 3 * heads * width)]),
      weights('wo', 6, heads * width),
    ],
  );
}

const conv = { kernel_shape: { type: 'ints', value: [3n, 3n] } } as const;

/** Weights and activations quantized and dequantized around float ops. */
function qdq(): Model {
  const quantized = (x: string, zeroPoint: string): Node[] => [
    node('QuantizeLinear', [x, 's', zeroPoint], [`${x}q`]),
    node('DequantizeLinear', [`${x}q`, 's', zeroPoint], [`${x}d`]),
  ];
  const nodes = [
    ...quantized('x', 'u'),
    node('DequantizeLinear', ['w1', 's1', 'z1'], ['w1d'], { axis: int(0) }),
    node('Conv', ['xd', 'w1d', 'b1'], ['h'], conv, { name: 'h' }),
    node('Relu', ['h'], ['r']),
    ...quantized('r', 'u'),
    node('DequantizeLinear', ['w2', 's', 'i'], ['w2d']),
    node('Conv', ['rd', 'w2d'], ['y'], conv, { name: 'y' }),
  ];
  return build(
    nodes,
    [info('x', 'float32', [1, 3, 8, 8])],
    [
      bytes('w1', 'int8', 8, 3, 3, 3),
      floatTensor('s1', [1, 2, 3, 4, 5, 6, 7, 8].map((v) => v / 400), [8]), // prettier-ignore
      integerTensor('z1', new Array<number>(8).fill(0), [8], 'int8'),
      weights('b1', 8),
      bytes('w2', 'int8', 4, 8, 3, 3),
      scalar('s', 0.02),
      zero('u', 'uint8'),
      zero('i', 'int8'),
    ],
  );
}

/** Integer kernels, as onnxruntime's quantizer writes them. */
function qlinear(): Model {
  const nodes = [
    node('QuantizeLinear', ['x', 's', 'u'], ['xq']),
    node('QLinearConv', ['xq', 's', 'u', 'w1', 's', 'i', 't', 'u', 'b1'], ['h'], conv, { name: 'h' }),
    ms('QLinearLeakyRelu', 'h t u t u', 'l'),
    ms('QLinearAdd', 'h t u l t u t u', 'a'),
    node('QLinearConv', ['a', 't', 'u', 'w2', 's', 'p', 't', 'u'], ['g'], conv, { name: 'g' }),
    ms('QLinearGlobalAveragePool', 'g t u t u', 'm', { channels_last: int(0) }),
    node('DequantizeLinear', ['m', 't', 'u'], ['y']),
  ];
  return build(
    nodes,
    [info('x', 'float32', [1, 3, 8, 8])],
    [
      bytes('w1', 'int8', 8, 3, 3, 3),
      integerTensor('b1', [1, 2, 3, 4, 5, 6, 7, 8], [8], 'int32'),
      bytes('w2', 'uint8', 4, 8, 3, 3),
      scalar('s', 0.02),
      scalar('t', 0.05),
      zero('u', 'uint8'),
      zero('i', 'int8'),
      zero('p', 'uint8', 50),
    ],
  );
}

describe('pruned and proved', () => {
  it.each([
    ['fused BERT', fusedBert(), { attention: 'head-dims' }],
    ['fused BERT', fusedBert(), { attention: 'heads' }],
    ['fused BERT', fusedBert(), { attention: 'both' }],
    ['fused BERT', fusedBert(), { residualStream: true }],
    ['MultiHeadAttention', attended('MultiHeadAttention'), { attention: 'both' }],
    ['GroupQueryAttention', attended('GroupQueryAttention'), { attention: 'both' }],
    ['QDQ', qdq(), {}],
    // Criteria read float weights.
    ['QLinear', qlinear(), { criterion: 'random' }],
  ] as const)('%s %#', async (_, dense, options) => {
    const { report } = await prunePipeline(dense, { runtime, ratio: 0.5, verify: 'full', ...options });
    expect(report.verification?.passed).toBe(true);
    expect(report.verification?.compared).toBeGreaterThan(0);
    expect(report.macs.pruned).toBeLessThan(report.macs.dense);
  });
});

it.each([
  ['fused BERT', fusedBert(), 7680 + 2 * 800 + 2560 + 2 * 3840 + 480],
  ['MultiHeadAttention', attended('MultiHeadAttention'), 3 * 5120 + 2 * 3200 + 3840],
  ['GroupQueryAttention', attended('GroupQueryAttention'), 5120 + 2 * 2560 + 2 * 3200 + 3840],
  ['QDQ', qdq(), 8 * 36 * 27 + 4 * 16 * 72],
  ['QLinear', qlinear(), 8 * 36 * 27 + 4 * 16 * 72],
] as const)('counts the multiply-adds of %s', async (_, dense, macs) => {
  const { cost } = await analyze(dense, { runtime });
  expect(cost.macs()).toBe(macs);
  expect(cost.unpriced).toEqual([]);
});

it('counts fewer multiply-adds for fewer head dims, as a model built smaller has', async () => {
  const { report, model: pruned } = await prunePipeline(fusedBert(), {
    runtime,
    ratio: 0.5,
    attention: 'both',
    verify: 'none',
  });
  const { cost } = await analyze(pruned, { runtime });
  expect(cost.macs()).toBe(report.macs.pruned);
});

it('freezes the scale of scores where head dims go', async () => {
  const { model: pruned } = await prunePipeline(attended('MultiHeadAttention'), {
    runtime,
    ratio: 0.5,
    attention: 'head-dims',
    verify: 'none',
  });
  const attention = pruned.graph.nodes.find(({ opType }) => opType === 'MultiHeadAttention')!;
  expect(attention.attributes.get('scale')?.value).toBeCloseTo(1 / 4, 6);
  expect(attention.attributes.get('num_heads')?.value).toBe(4n);
});
