/** Random cases for attention ops and the ops of com.microsoft that onnxruntime's CPU provider runs. */
import fc from 'fast-check';
import { opaque } from '../../src/axes/rules/opaque.js';
import { standardized } from './op-cases.js';
import { w, x, type NumberTensor, type Operand, type OpCase } from './single-op.js';

type Cases = fc.Arbitrary<OpCase>;

const size = fc.integer({ min: 1, max: 5 });
const heads = fc.integer({ min: 1, max: 3 });
const ms = (op: string, rest: Omit<OpCase, 'op' | 'opset' | 'domain'>): OpCase => ({
  op,
  opset: 17,
  domain: 'com.microsoft',
  ...rest,
});
const scalar = (value: number): Operand => w([], { values: [value] });
const zero: Operand = w([], { dtype: 'uint8', values: [0] });
const image = (...dims: readonly number[]): Operand => x(dims, { dtype: 'uint8' });

const activation = (op: string): Cases =>
  fc.tuple(size, size, size).map((dims) => ms(op, { operands: [x(dims)] }));
const biased = (op: string): Cases =>
  fc.tuple(size, size, size).map((dims) => ms(op, { operands: [x(dims), w(dims.slice(-1))] }));

const transposed = (a: number, b: number, isTransposed: boolean): number[] =>
  isTransposed ? [b, a] : [a, b];

interface Convolution {
  readonly g: number;
  readonly inner: number;
  readonly outer: number;
  readonly kernel: number;
  readonly more: number;
}
const convolution: fc.Arbitrary<Convolution> = fc.record({
  g: heads,
  inner: size,
  outer: size,
  kernel: fc.integer({ min: 1, max: 3 }),
  more: fc.nat(2),
});

const quantizedPair = (op: string): Cases =>
  fc.tuple(size, size).map((dims) =>
    ms(op, {
      operands: [image(...dims), scalar(0.5), zero, image(...dims), scalar(0.25), zero, scalar(1), zero],
    }),
  );

/** A norm over the sum of its first two inputs and of a bias. */
const skipNorm = (op: string, isCentred: boolean): Cases =>
  fc.tuple(size, size, fc.integer({ min: 2, max: 6 }), fc.boolean()).map(([n, s, h, bias]) => {
    const at = isCentred ? 4 : 3;
    return ms(op, {
      operands: [
        x([n, s, h]),
        x([n, s, h]),
        w([h]),
        ...(isCentred ? [w([h])] : []),
        ...(bias ? [w([h])] : []),
      ],
      attributes: { epsilon: { float: 1e-5 } },
      reference: (inputs, masks) => {
        const shift = bias ? inputs[at]!.values : new Array<number>(h).fill(0);
        const [a, b] = inputs as [NumberTensor, NumberTensor];
        const sum = { dims: a.dims, values: a.values.map((v, i) => v + b.values[i]! + shift[i % h]!) };
        return standardized([sum, inputs[2], isCentred ? inputs[3] : undefined], masks, {
          axes: [2],
          centred: isCentred,
        });
      },
    });
  });

export const fused: Readonly<Record<string, Cases>> = {
  'com.microsoft::Gelu': activation('Gelu'),
  'com.microsoft::QuickGelu': activation('QuickGelu'),
  'com.microsoft::BiasGelu': biased('BiasGelu'),
  'com.microsoft::FastGelu': fc.oneof(activation('FastGelu'), biased('FastGelu')),
  'com.microsoft::FusedMatMul': fc
    .tuple(size, size, size, size, fc.boolean(), fc.boolean(), fc.boolean())
    .map(([n, i, k, j, a, b, isWeight]) =>
      ms('FusedMatMul', {
        operands: [
          x([n, ...transposed(i, k, a)]),
          isWeight ? w(transposed(k, j, b)) : x([n, ...transposed(k, j, b)]),
        ],
        attributes: { transA: +a, transB: +b, alpha: { float: 0.5 } },
      }),
    ),
  'com.microsoft::FusedGemm': fc.tuple(size, size, size, fc.boolean(), fc.boolean()).map(([i, k, j, a, b]) =>
    ms('FusedGemm', {
      operands: [x(transposed(i, k, a)), w(transposed(k, j, b)), w([j])],
      attributes: { transA: +a, transB: +b, activation: 'Relu' },
    }),
  ),
  'com.microsoft::FusedConv': convolution.map(({ g, inner, outer, kernel, more }) => {
    const out = 6 - kernel;
    return ms('FusedConv', {
      operands: [
        x([1, g * inner, 5, 5]),
        w([g * outer, inner, kernel, kernel]),
        ...(more > 0 ? [w([g * outer])] : []),
        ...(more > 1 ? [x([1, g * outer, out, out])] : []),
      ],
      attributes: { group: g, kernel_shape: [kernel, kernel], activation: 'Relu' },
    });
  }),
  'com.microsoft::CausalConvWithState': fc
    .tuple(size, size, fc.integer({ min: 2, max: 4 }), fc.boolean(), fc.constantFrom('none', 'silu'))
    .map(([n, channels, kernel, past, activation]) =>
      ms('CausalConvWithState', {
        operands: [
          x([n, channels, 6]),
          w([channels, 1, kernel]),
          w([channels]),
          ...(past ? [x([n, channels, kernel - 1])] : []),
        ],
        attributes: { activation },
        outputs: 2,
      }),
    ),
  'com.microsoft::SkipLayerNormalization': skipNorm('SkipLayerNormalization', true),
  'com.microsoft::SkipSimplifiedLayerNormalization': skipNorm('SkipSimplifiedLayerNormalization', false),
  'com.microsoft::GatedRMSNorm': fc.tuple(size, heads, fc.integer({ min: 2, max: 5 })).map(([n, h, c]) =>
    ms('GatedRMSNorm', {
      operands: [x([n, h * c]), w([c]), x([n, h * c])],
      attributes: { epsilon: { float: 1e-5 } },
      reference: ([value, scale, gate], masks) =>
        standardized([value, scale], masks, { axes: [], centred: false, blocks: c }).map((y, i) => {
          const g = gate!.values[i]!;
          return (y * g) / (1 + Math.exp(-g));
        }),
    }),
  ),
  'com.microsoft::EmbedLayerNormalization': fc
    .tuple(size, size, fc.integer({ min: 2, max: 6 }))
    .map(([n, s, h]) =>
      ms('EmbedLayerNormalization', {
        operands: [
          x([n, s], { dtype: 'int32' }),
          x([n, s], { dtype: 'int32', values: new Array<number>(n * s).fill(1) }),
          w([5, h]),
          w([6, h]),
          w([2, h]),
          w([h]),
          w([h]),
        ],
        attributes: { epsilon: { float: 1e-5 } },
        outputs: 2,
        reference: ([ids, , words, positions, types, scale, shift], masks, masksOf) => {
          const values = ids!.values.flatMap((id, i) =>
            Array.from(
              { length: h },
              (_, c) =>
                words!.values[id * h + c]! + positions!.values[(i % s) * h + c]! + types!.values[h + c]!,
            ),
          );
          const kept = [...masks, masksOf(5)[0]!];
          return standardized([{ dims: [n, s, h], values }, scale, shift], kept, { axes: [2] });
        },
      }),
    ),
  'com.microsoft::MatMulNBits': fc
    .tuple(size, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 2, max: 6 }), fc.boolean())
    .map(([m, blocks, n, bias]) =>
      ms('MatMulNBits', {
        operands: [
          x([1, m, 16 * blocks]),
          w([n, blocks, 8], { dtype: 'uint8' }),
          w([n, blocks], { positive: true }),
          undefined,
          undefined,
          ...(bias ? [w([n])] : []),
        ],
        attributes: { K: 16 * blocks, N: n, bits: 4, block_size: 16 },
      }),
    ),
  'com.microsoft::QLinearAdd': quantizedPair('QLinearAdd'),
  'com.microsoft::QLinearMul': quantizedPair('QLinearMul'),
  ...Object.fromEntries(
    ['QLinearSigmoid', 'QLinearLeakyRelu'].map((op) => [
      `com.microsoft::${op}`,
      fc
        .tuple(size, size)
        .map((dims) => ms(op, { operands: [image(...dims), scalar(0.5), zero, scalar(0.25), zero] })),
    ]),
  ),
  'com.microsoft::QLinearGlobalAveragePool': fc.tuple(size, size, fc.boolean()).map(([n, c, last]) =>
    ms('QLinearGlobalAveragePool', {
      operands: [last ? image(n, 3, 3, c) : image(n, c, 3, 3), scalar(0.5), zero, scalar(0.25), zero],
      attributes: { channels_last: +last },
    }),
  ),
  'com.microsoft::QLinearAveragePool': fc.tuple(size, size).map(([n, c]) =>
    ms('QLinearAveragePool', {
      operands: [image(n, c, 3, 3), scalar(0.5), zero, scalar(0.25), zero],
      attributes: { kernel_shape: [2, 2] },
    }),
  ),
  'com.microsoft::QLinearConcat': fc.tuple(size, size, size).map(([n, a, b]) =>
    ms('QLinearConcat', {
      operands: [scalar(0.5), zero, image(n, a), scalar(0.5), zero, image(n, b), scalar(0.25), zero],
      attributes: { axis: 1 },
    }),
  ),
  'com.microsoft::QGemm': fc.tuple(size, size, size, fc.boolean()).map(([i, k, j, b]) =>
    ms('QGemm', {
      operands: [
        image(i, k),
        scalar(0.5),
        zero,
        w(transposed(k, j, b), { dtype: 'uint8' }),
        scalar(0.5),
        zero,
        w([j], { dtype: 'int32' }),
      ],
      attributes: { transB: +b },
    }),
  ),
  'com.microsoft::MatMulIntegerToFloat': fc
    .tuple(size, size, size, fc.boolean())
    .map(([i, k, j, perColumn]) =>
      ms('MatMulIntegerToFloat', {
        operands: [
          image(i, k),
          w([k, j], { dtype: 'uint8' }),
          scalar(0.5),
          perColumn ? w([j], { positive: true }) : scalar(0.5),
          zero,
          perColumn ? w([j], { dtype: 'uint8', values: new Array<number>(j).fill(0) }) : zero,
          w([j]),
        ],
      }),
    ),
  'com.microsoft::DynamicQuantizeMatMul': fc
    .tuple(size, size, size, fc.boolean())
    .map(([i, k, j, perColumn]) =>
      ms('DynamicQuantizeMatMul', {
        operands: [
          x([i, k]),
          w([k, j], { dtype: 'uint8' }),
          perColumn ? w([j], { positive: true }) : scalar(0.5),
          perColumn ? w([j], { dtype: 'uint8', values: new Array<number>(j).fill(0) }) : zero,
          w([j]),
        ],
      }),
    ),
};

interface Heads {
  readonly n: number;
  readonly s: number;
  readonly t: number;
  readonly k: number;
  readonly r: number;
  readonly d: number;
  readonly v: number;
  readonly form: number;
}
const attended: fc.Arbitrary<Heads> = fc.record({
  n: fc.integer({ min: 1, max: 2 }),
  s: fc.integer({ min: 1, max: 3 }),
  t: fc.integer({ min: 1, max: 4 }),
  k: heads,
  r: fc.integer({ min: 1, max: 2 }),
  d: fc.integer({ min: 1, max: 4 }),
  v: fc.integer({ min: 1, max: 4 }),
  form: fc.nat(3),
});

/** Rotated input with its tables. */
const rotated = (domain: string): Cases =>
  fc
    .record({
      n: fc.integer({ min: 1, max: 2 }),
      s: fc.integer({ min: 1, max: 3 }),
      h: heads,
      e: fc.integer({ min: 1, max: 4 }),
      rest: fc.nat(1),
      interleaved: fc.boolean(),
      flat: fc.boolean(),
    })
    .map(({ n, s, h, e, rest, interleaved, flat }) => {
      const width = 2 * e + 2 * rest;
      const table = w([8, e]);
      const positions = x([n, s], { dtype: 'int64' });
      return {
        op: 'RotaryEmbedding',
        opset: domain ? 17 : 23,
        domain,
        operands: [
          x(flat ? [n, s, h * width] : [n, h, s, width]),
          ...(domain ? [positions, table, table] : [table, table, positions]),
        ],
        attributes: {
          interleaved: +interleaved,
          ...((rest > 0 || (flat && !domain)) && { num_heads: h }),
          ...(rest > 0 && { rotary_embedding_dim: 2 * e }),
        },
      };
    });

export const attention: Readonly<Record<string, Cases>> = {
  Attention: attended.map(({ n, s, t, k, r, d, v, form }) => {
    const isFlat = form % 2 === 0;
    const dims = (h: number, positions: number, width: number): number[] =>
      isFlat ? [n, positions, h * width] : [n, h, positions, width];
    return {
      op: 'Attention',
      opset: 23,
      operands: [
        x(dims(k * r, s, d)),
        x(dims(k, t, d)),
        x(dims(k, t, v)),
        ...(form > 1 ? [w(form === 2 ? [s, t] : [n, k * r, s, t])] : []),
      ],
      ...(isFlat && { attributes: { q_num_heads: k * r, kv_num_heads: k } }),
    };
  }),
  RotaryEmbedding: rotated(''),
  'com.microsoft::RotaryEmbedding': rotated('com.microsoft'),
  'com.microsoft::Attention': attended.map(({ n, s, t, k, d, v, form }) => {
    const widths = form === 0 ? [k * d, k * d, k * v] : undefined;
    const total = widths ? 2 * k * d + k * v : 3 * k * d;
    return ms('Attention', {
      operands: [x([n, s, t]), w([t, total]), w([total])],
      attributes: { num_heads: k, ...(widths && { qkv_hidden_sizes: widths }) },
      // Queries and keys are made inside of the op: their removed dims are zeroed where they are made.
      zeroed: [
        [1, 1],
        [2, 0],
      ],
    });
  }),
  'com.microsoft::MultiHeadAttention': attended.map(({ n, s, t, k, d, v, form }) => {
    const bias = form === 1 ? w([2 * k * d + k * v]) : undefined;
    return ms('MultiHeadAttention', {
      operands: [
        x([n, s, k * d]),
        x([n, t, k * d]),
        x([n, t, k * v]),
        ...(form > 0 ? [bias] : []),
        ...(form > 1 ? [undefined, w([1, form === 2 ? 1 : k, s, t])] : []),
      ],
      attributes: { num_heads: k },
      ...(bias && { zeroed: [[3, 0]] }),
    });
  }),
  'com.microsoft::GroupQueryAttention': attended.map(({ n, s, k, r, form }) => {
    const width = 16;
    const isPacked = form === 0;
    const ids = (dims: readonly number[], values: readonly number[]): Operand =>
      w(dims, { dtype: 'int32', values });
    return ms('GroupQueryAttention', {
      operands: [
        x([n, s, (isPacked ? k * r + 2 * k : k * r) * width]),
        isPacked ? undefined : x([n, s, k * width]),
        isPacked ? undefined : x([n, s, k * width]),
        undefined,
        undefined,
        ids([n], new Array<number>(n).fill(s - 1)),
        ids([1], [s]),
      ],
      attributes: { num_heads: k * r, kv_num_heads: k },
      outputs: 3,
    });
  }),
};

/** Rules that no single op can test, with the reason. */
export const untested: Readonly<Record<string, string>> = {
  'com.microsoft::NhwcConv': "onnxruntime's CPU provider has no kernel for it",
  'com.microsoft::QAttention': 'its rule blocks',
  ...Object.fromEntries(Object.keys(opaque).map((op) => [op, 'its rule blocks'])),
};
