/** What onnxruntime's optimiser and quantizer write. */
import { microsoft, type GraphBuilder, type StepKind, type Steps, type Step, type Value } from './builder.js';
import type { Choices } from './choices.js';
import { operand, positive } from './elementwise.js';
import { layer, linear, pointwiseConv, widths } from './layers.js';
import { bytes, quantized, zeroPoint } from './quantization.js';

const stepsOf = (ops: string, make: (op: string) => Step): Record<string, StepKind> =>
  Object.fromEntries(ops.split(' ').map((op) => [`com.microsoft::${op}`, { step: make(microsoft(op)) }]));

const activation =
  (bias: 'none' | 'optional' | 'always') =>
  (op: string): Step =>
  (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const hasBias = bias === 'always' || (bias === 'optional' && c.flag());
    g.step(op, [x, hasBias ? g.weight(x.dims.slice(-1), c) : undefined], x.dims);
  };

const product: Step = (g, c) => {
  const x = g.pick(c, ({ dims }) => dims.length > 1);
  if (!x) return;
  const rank = x.dims.length;
  const transA = rank > 2 ? c.below(2) : 0;
  const transB = c.below(2);
  // Between activations all axes but the last are shared, or summed away if the first operand is transposed.
  const y = rank > 2 && c.flag() ? linear(g, x, c, c.of(widths)) : undefined;
  if (y) {
    const batch = x.dims.slice(0, -2);
    const [length, inner, other] = [x.dims.at(-2)!, x.dims.at(-1)!, y.dims.at(-1)!];
    const how = { transA: 1, transB: 0, alpha: 0.5 };
    g.step(microsoft('FusedMatMul'), [x, y], [...batch, inner, other], how);
    if (c.flag()) {
      const z = linear(g, x, c, other);
      const scores = { transA: 0, transB: 1, alpha: 0.5 };
      g.step(microsoft('FusedMatMul'), [y, z], [...batch, length, length], scores);
    }
    return;
  }
  const [outer, inner] = transA ? [x.dims.at(-1)!, x.dims.at(-2)!] : [x.dims.at(-2)!, x.dims.at(-1)!];
  const width = c.of(widths);
  const w = g.weight(transB ? [width, inner] : [inner, width], c, { scale: 1 / Math.sqrt(inner) });
  const dims = [...x.dims.slice(0, -2), outer, width];
  g.step(microsoft('FusedMatMul'), [x, w], dims, { transA, transB, alpha: 0.5 });
};

const gemm: Step = (g, c) => {
  const x = g.ofRank(c, 2);
  if (!x) return;
  const [n, inner] = x.dims as [number, number];
  const width = c.of(widths);
  const transB = c.below(2);
  const w = g.weight(transB ? [width, inner] : [inner, width], c, { scale: 1 / Math.sqrt(inner) });
  const bias = c.flag() ? g.weight([width], c) : undefined;
  g.step(microsoft('FusedGemm'), [x, w, bias], [n, width], { transB, activation: c.of(['Relu', 'Tanh']) });
};

const conv: Step = (g, c) => {
  const x = g.ofRank(c, 4);
  if (!x) return;
  const [n, inner, ...spatial] = x.dims as [number, number, number, number];
  const group = c.of([1, 2, inner].filter((d) => inner % d === 0));
  const width = group * c.of([1, 2, 3].filter((k) => k === 1 || k * group <= 16));
  const kernel = c.of([1, 3]);
  const w = g.weight([width, inner / group, kernel, kernel], c, { scale: 1 / kernel });
  const bias = c.flag() ? g.weight([width], c) : undefined;
  const added = bias && c.flag() ? pointwiseConv(g, x, c, width) : undefined;
  g.step(microsoft('FusedConv'), [x, w, bias, added], [n, width, ...spatial], {
    group,
    kernel_shape: [kernel, kernel],
    pads: [0, 0, 0, 0].map(() => kernel >> 1),
    activation: 'Relu',
  });
};

/** A sequence with its channels first, and the state that is left of it. */
const causalConv: Step = (g, c) => {
  const x = g.ofRank(c, 3);
  if (!x) return;
  const [n, channels] = x.dims as [number, number];
  const kernel = c.of([2, 3]);
  const w = g.weight([channels, 1, kernel], c);
  const bias = c.flag() ? g.weight([channels], c) : undefined;
  const outputs = [x.dims, [n, channels, kernel - 1]];
  const attributes = { activation: c.of(['none', 'silu']) };
  for (const y of g.multi(microsoft('CausalConvWithState'), [x, w, bias], outputs, attributes)) g.offer(y);
};

/** A norm over input + skip (+ bias), whose sum is an output too. */
const skipNorm =
  (isCentred: boolean) =>
  (op: string): Step =>
  (g, c) => {
    const x = g.ofRank(c, 3, ({ dims }) => dims[2]! > 2);
    if (!x) return;
    const other = g.pick(c, (y) => y.name !== x.name && y.dims.join() === x.dims.join());
    const skip = other ?? linear(g, x, c, x.dims[2]!);
    const inner = x.dims.slice(2);
    const parameters = [g.weight(inner, c), ...(isCentred ? [g.weight(inner, c)] : [])];
    const bias = c.flag() ? g.weight(inner, c) : undefined;
    const withSum = c.flag();
    const outputs = withSum ? [x.dims, undefined, undefined, x.dims] : [x.dims];
    for (const y of g.multi(op, [x, skip, ...parameters, bias], outputs, { epsilon: 1e-5 })) g.offer(y);
  };

/** Norms of heads, which share a scale, gated by another value: gates near 0 would leave nothing to compare. */
const gatedNorm: Step = (g, c) => {
  const x = g.pick(c, ({ dims }) => dims.length > 1 && dims.at(-1)! > 2);
  if (!x) return;
  const width = x.dims.at(-1)!;
  const heads = c.of([1, 2, 3, 4].filter((h) => width % h === 0 && width / h > 1));
  const gate = g.pick(c, (y) => y.dims.join() === x.dims.join())!;
  const scale = g.weight([width / heads], c);
  g.step(microsoft('GatedRMSNorm'), [x, scale, positive(g, gate)], x.dims, { epsilon: 1e-5 });
};

/** Ids that are computed from data look up words; positions and types are added. */
const embedNorm: Step = (g, c) => {
  const x = g.ofRank(c, 3, ({ dims }) => dims[1]! <= 12);
  if (!x) return;
  const [n, length, words] = x.dims as [number, number, number];
  const width = c.of([4, 6, 8]);
  const ids = (): Value => {
    const found = g.op('ArgMax', [x], [n, length], { axis: 2, keepdims: 0 }, 'int64');
    return g.op('Cast', [found], [n, length], { to: 6 }, 'int32');
  };
  const types = c.flag();
  const [y] = g.multi(
    microsoft('EmbedLayerNormalization'),
    [
      ids(),
      types ? ids() : undefined,
      g.weight([words, width], c),
      g.weight([length, width], c),
      types ? g.weight([words, width], c) : undefined,
      g.weight([width], c),
      g.weight([width], c),
    ],
    [[n, length, width], [n]],
    { epsilon: 1e-5 },
  );
  g.offer(y!);
};

/** Weights of 4 bits in blocks of 16. */
const packedProduct: Step = (g, c) => {
  const x = g.pick(c, ({ dims }) => dims.length > 1);
  if (!x) return;
  const blocks = c.of([1, 2, 3]);
  const wide = linear(g, x, c, 16 * blocks);
  const width = c.of(widths);
  const dims = c.flag() ? [width, blocks] : [width * blocks];
  const zeroPoints = c.below(3) === 0;
  const stored = (...shape: readonly number[]): Value =>
    g.ints(Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => g.below(256)), shape, 'uint8'); // prettier-ignore
  const zeros = dims.length === 1 ? [width * Math.ceil(blocks / 2)] : [width, Math.ceil(blocks / 2)];
  g.step(
    microsoft('MatMulNBits'),
    [
      wide,
      stored(width, blocks, 8),
      g.floats(Array.from({ length: width * blocks }, () => 0.02 + g.below(5) / 100), dims), // prettier-ignore
      zeroPoints ? stored(...zeros) : undefined,
      undefined,
      c.flag() ? g.weight([width], c) : undefined,
    ],
    [...x.dims.slice(0, -1), width],
    { K: 16 * blocks, N: width, bits: 4, block_size: 16 },
  );
};

/** A quantised op between two quantizers: its last two operands are scale and zero point of what it gives. */
function requantized(
  g: GraphBuilder,
  op: string,
  inputs: readonly (Value | undefined)[],
  dims: readonly number[],
  attributes = {},
): void {
  const [scale, zero] = [g.scalar(0.04), zeroPoint(g)];
  const y = g.op(op, [...inputs, scale, zero], dims, attributes, 'uint8');
  g.step('DequantizeLinear', [y, scale, zero], dims);
}

const operands = ({ x, scale, zero }: ReturnType<typeof quantized>): Value[] => [x, scale, zero];

const quantizedPair =
  (op: string): Step =>
  (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const other = operand(g, x, c);
    requantized(g, op, [...operands(quantized(g, x)), ...operands(quantized(g, other))], x.dims);
  };

const quantizedPool =
  (isGlobal: boolean) =>
  (op: string): Step =>
  (g, c) => {
    const x = g.ofRank(c, 4, ({ dims }) => isGlobal || (dims[2]! > 1 && dims[3]! > 1));
    if (!x) return;
    const [n, width, h, w] = x.dims as [number, number, number, number];
    const last = c.below(2);
    const perm = [0, 2, 3, 1];
    const turned = last ? g.op('Transpose', [x], perm.map((axis) => x.dims[axis]!), { perm }) : x; // prettier-ignore
    const [oh, ow] = isGlobal ? [1, 1] : [h - 1, w - 1];
    const dims = last ? [n, oh, ow, width] : [n, width, oh, ow];
    requantized(g, op, operands(quantized(g, turned)), dims, {
      channels_last: last,
      ...(!isGlobal && { kernel_shape: [2, 2] }),
    });
  };

const quantizedConcat: Step = (g, c) => {
  const x = g.pick(c, ({ dims }) => dims.length > 1 && dims[1]! <= 12);
  if (!x) return;
  const fits = (y: Value): boolean =>
    y.dims.length === x.dims.length && y.dims.every((dim, i) => i === 1 || dim === x.dims[i]);
  const parts = [x, g.pick(c, fits)!, ...(c.flag() ? [layer(g, x, c)].filter(fits) : [])];
  const width = parts.reduce((sum, { dims }) => sum + dims[1]!, 0);
  const [scale, zero] = [g.scalar(0.04), zeroPoint(g)];
  const inputs = parts.flatMap((part) => operands(quantized(g, part)));
  const dims = x.dims.with(1, width);
  const axis = c.flag() ? 1 : 1 - x.dims.length;
  const y = g.op(microsoft('QLinearConcat'), [scale, zero, ...inputs], dims, { axis }, 'uint8');
  g.step('DequantizeLinear', [y, scale, zero], dims);
};

/** A scale and a zero point of weights, of all or of each column. */
function weightQuantizer(g: GraphBuilder, c: Choices, width: number): [Value, Value] {
  if (c.flag()) return [g.scalar(0.03), zeroPoint(g)];
  const scales = g.floats(Array.from({ length: width }, () => 0.02 + g.below(3) / 100));
  return [scales, g.ints(new Array<number>(width).fill(128), [width], 'uint8')];
}

const quantizedGemm: Step = (g, c) => {
  const x = g.ofRank(c, 2);
  if (!x) return;
  const [n, inner] = x.dims as [number, number];
  const width = c.of(widths);
  const transB = c.below(2);
  const w = bytes(g, transB ? [width, inner] : [inner, width]);
  const bias = c.flag() ? g.ints(Array.from({ length: width }, () => g.below(50)), [width], 'int32') : undefined; // prettier-ignore
  const inputs = [...operands(quantized(g, x)), w, ...weightQuantizer(g, c, width), bias];
  // Without a scale of its own the result is float.
  if (c.flag()) g.step(microsoft('QGemm'), inputs, [n, width], { transB });
  else requantized(g, microsoft('QGemm'), inputs, [n, width], { transB });
};

const integerProduct: Step = (g, c) => {
  const x = g.pick(c, ({ dims }) => dims.length > 1);
  if (!x) return;
  const width = c.of(widths);
  const q = quantized(g, x);
  const [scale, zero] = weightQuantizer(g, c, width);
  const bias = c.flag() ? g.weight([width], c) : undefined;
  const w = bytes(g, [x.dims.at(-1)!, width]);
  const dims = [...x.dims.slice(0, -1), width];
  g.step(microsoft('MatMulIntegerToFloat'), [q.x, w, q.scale, scale, q.zero, zero, bias], dims);
};

const dynamicProduct: Step = (g, c) => {
  const x = g.pick(c, ({ dims }) => dims.length > 1);
  if (!x) return;
  const width = c.of(widths);
  const w = bytes(g, [x.dims.at(-1)!, width]);
  const dims = [...x.dims.slice(0, -1), width];
  g.step(microsoft('DynamicQuantizeMatMul'), [x, w, g.scalar(0.03), zeroPoint(g)], dims);
};

export const fused: Steps = {
  ...stepsOf('Gelu QuickGelu', activation('none')),
  ...stepsOf('BiasGelu', activation('always')),
  ...stepsOf('FastGelu', activation('optional')),
  ...stepsOf('FusedMatMul', () => product),
  ...stepsOf('FusedGemm', () => gemm),
  ...stepsOf('FusedConv', () => conv),
  ...stepsOf('CausalConvWithState', () => causalConv),
  ...stepsOf('SkipLayerNormalization', skipNorm(true)),
  ...stepsOf('SkipSimplifiedLayerNormalization', skipNorm(false)),
  ...stepsOf('GatedRMSNorm', () => gatedNorm),
  ...stepsOf('EmbedLayerNormalization', () => embedNorm),
  ...stepsOf('MatMulNBits', () => packedProduct),
  ...stepsOf('QLinearAdd QLinearMul', quantizedPair),
  ...stepsOf('QLinearSigmoid QLinearLeakyRelu', (op) => (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (x) requantized(g, op, operands(quantized(g, x)), x.dims);
  }),
  ...stepsOf('QLinearGlobalAveragePool', quantizedPool(true)),
  ...stepsOf('QLinearAveragePool', quantizedPool(false)),
  ...stepsOf('QLinearConcat', () => quantizedConcat),
  ...stepsOf('QGemm', () => quantizedGemm),
  ...stepsOf('MatMulIntegerToFloat', () => integerProduct),
  ...stepsOf('DynamicQuantizeMatMul', () => dynamicProduct),
};
