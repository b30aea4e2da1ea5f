import type { Attributes, GraphBuilder, Steps, Value } from './builder.js';
import type { Choices } from './choices.js';
import { linear, pointwiseConv, widths } from './layers.js';
import { bytes, dequantized, quantized, zeroPoint } from './quantization.js';

const conv = (g: GraphBuilder, c: Choices): void => {
  const x = g.ofRank(c, c.of([4, 4, 4, 3]));
  if (!x) return;
  const [n, inner, ...spatial] = x.dims as [number, number, ...number[]];
  const divisors = [1, 2, 3, inner].filter((d) => inner % d === 0);
  const group = c.of(divisors);
  const width = group * c.of([1, 2, 3, 4].filter((k) => k === 1 || k * group <= 16));
  const kernel = c.of([1, 3, 1]);
  const pads = spatial.flatMap(() => [kernel >> 1, kernel >> 1]);
  const stride = c.of([1, 1, 2]);
  const w = g.weight([width, inner / group, ...spatial.map(() => kernel)], c, {
    scale: 1 / Math.sqrt((inner / group) * kernel ** spatial.length),
  });
  const bias = c.flag() ? g.weight([width], c) : undefined;
  const out = spatial.map((d) => Math.floor((d + 2 * (kernel >> 1) - kernel) / stride) + 1);
  g.step('Conv', [x, w, bias], [n, width, ...out], {
    group,
    kernel_shape: spatial.map(() => kernel),
    pads,
    strides: spatial.map(() => stride),
  });
};

/** Softmax(Q Kᵀ) V, with the heads split off by reshapes. */
const attention = (g: GraphBuilder, c: Choices): void => {
  const x = g.ofRank(c, 3);
  if (!x) return;
  const [n, length, inner] = x.dims as [number, number, number];
  const [heads, size] = [c.of([1, 2, 3]), c.of([2, 4, 3])];
  const packed = c.flag();
  const split = (y: Value, perm: readonly number[]): Value => {
    const nested = g.reshape(y, [n, length, heads, size], c);
    return g.op('Transpose', [nested], perm.map((axis) => nested.dims[axis]!), { perm }); // prettier-ignore
  };
  const width = heads * size;
  const projections = (): Value[] => {
    if (!packed) return [0, 1, 2].map(() => linear(g, x, c, width));
    const all = linear(g, x, c, 3 * width);
    const dims = [n, length, width];
    const sizes = g.opset >= 13 ? [g.ints([width, width, width])] : [];
    const how: Attributes = g.opset >= 13 ? {} : { split: [width, width, width] };
    return g.multi('Split', [all, ...sizes], [dims, dims, dims], { axis: 2, ...how });
  };
  const biased = !packed && c.flag();
  const [q, k, v] = projections().map((y, i) =>
    biased && i !== 1 ? g.op('Add', [y, g.weight([width], c)], y.dims) : y,
  );
  const scores = g.op(
    'MatMul',
    [split(q!, [0, 2, 1, 3]), split(k!, [0, 2, 3, 1])],
    [n, heads, length, length],
  );
  const scaled = g.op('Mul', [scores, g.scalar(size ** -0.5)], scores.dims);
  const weights = g.op('Softmax', [scaled], scores.dims, { axis: 3 });
  const mixed = g.op('MatMul', [weights, split(v!, [0, 2, 1, 3])], [n, heads, length, size]);
  const back = g.op('Transpose', [mixed], [n, length, heads, size], { perm: [0, 2, 1, 3] });
  const y = linear(g, g.reshape(back, [n, length, heads * size], c), c, inner);
  if (c.flag()) g.step('Add', [x, y], x.dims);
};

export const contraction: Steps = {
  Conv: conv,
  ConvBlock: (g, c) => {
    conv(g, c);
    const x = g.pick(c, ({ dims }) => dims.length > 2);
    if (!x) return;
    const channels = [x.dims[1]!];
    const normal = g.op(
      'BatchNormalization',
      [x, ...[0, 1, 2].map(() => g.weight(channels, c)), g.weight(channels, c, { positive: true })],
      x.dims,
    );
    g.step('Relu', [normal], x.dims);
  },
  ConvTranspose: (g, c) => {
    const x = g.ofRank(c, c.of([4, 4, 3]), ({ dims }) => dims.slice(2).every((d) => d <= 8));
    if (!x) return;
    const [n, inner, ...spatial] = x.dims as [number, number, ...number[]];
    const group = c.of([1, 2, inner].filter((d) => inner % d === 0));
    const each = c.of([1, 2, 3].filter((k) => k === 1 || k * group <= 16));
    const w = g.weight([inner, each, ...spatial.map(() => 2)], c, { scale: 1 / Math.sqrt(inner / group) });
    const bias = c.flag() ? g.weight([each * group], c) : undefined;
    const out = spatial.map((d) => 2 * d);
    const strides = spatial.map(() => 2);
    g.step('ConvTranspose', [x, w, bias], [n, each * group, ...out], { group, strides });
  },
  DeformConv: {
    since: 19,
    step: (g, c) => {
      const x = g.ofRank(c, 4);
      if (!x) return;
      const [n, inner, ...spatial] = x.dims as [number, number, number, number];
      const kernel = c.of([1, 3]);
      const group = c.of([1, inner]);
      const width = group * c.of([1, 2, 3].filter((k) => k === 1 || k * group <= 16));
      const shifts = c.of([1, 2].filter((k) => inner % k === 0));
      const offsets = pointwiseConv(g, x, c, 2 * shifts * kernel ** 2);
      const mask = c.flag() ? pointwiseConv(g, x, c, shifts * kernel ** 2) : undefined;
      const w = g.weight([width, inner / group, kernel, kernel], c, { scale: 1 / kernel });
      const bias = c.flag() || mask ? g.weight([width], c) : undefined;
      g.step('DeformConv', [x, w, offsets, bias, mask], [n, width, ...spatial], {
        group,
        kernel_shape: [kernel, kernel],
        offset_group: shifts,
        pads: [0, 0, 0, 0].map(() => kernel >> 1),
      });
    },
  },
  MatMul: (g, c) => {
    const x = g.pick(c);
    if (x) linear(g, x, c, c.of(widths));
  },
  Gemm: (g, c) => {
    const x = g.ofRank(c, 2);
    if (!x) return;
    const [n, inner] = x.dims as [number, number];
    const width = c.of(widths);
    const transposed = c.flag();
    const w = g.weight(transposed ? [width, inner] : [inner, width], c, { scale: 1 / Math.sqrt(inner) });
    // Before opset 11 it had to be there.
    const bias = c.of([g.opset < 11 ? [1] : undefined, [width], [1, width], [1]]);
    g.step('Gemm', [x, w, bias && g.weight(bias, c)], [n, width], { transB: transposed ? 1 : 0 });
  },
  AttentionOfHeads: attention,
  Einsum: (g, c) => {
    const x = g.ofRank(c, 3);
    if (!x) return;
    const [n, a, b] = x.dims as [number, number, number];
    const width = c.of(widths);
    const form = c.below(5);
    if (form === 0)
      g.step('Einsum', [x, g.weight([b, width], c)], [n, a, width], { equation: 'nab,bw->naw' });
    if (form === 1)
      g.step('Einsum', [x, g.weight([width, a], c)], [n, width, b], { equation: '...ab,wa->...wb' });
    if (form === 2) g.step('Einsum', [x], [n, b, a], { equation: 'nab->nba' });
    if (form === 3)
      g.step('Einsum', [x, linear(g, x, c, width)], [n, b, width], { equation: 'nab,naw->nbw' });
    if (form === 4) {
      const w = g.weight([b, 2, width], c);
      const y = g.op('Einsum', [x, w], [n, a, 2, width], { equation: 'nab,bhd->nahd' });
      g.step('Einsum', [y, g.weight([2, width, b], c)], x.dims, { equation: 'nahd,hdb->nab' });
    }
  },
  ConvInteger: (g, c) => {
    const x = g.ofRank(c, 4);
    if (!x) return;
    const [n, inner, ...spatial] = x.dims as [number, number, number, number];
    const width = c.of(widths);
    const q = quantized(g, x);
    const w = bytes(g, [width, inner, 1, 1]);
    const out = [n, width, ...spatial];
    dequantized(g, g.op('ConvInteger', [q.x, w, q.zero, zeroPoint(g)], out, {}, 'int32'), 0.002);
  },
  MatMulInteger: (g, c) => {
    const x = g.pick(c);
    if (!x) return;
    const width = c.of(widths);
    const q = quantized(g, x);
    const out = [...x.dims.slice(0, -1), width];
    const w = bytes(g, [x.dims.at(-1)!, width]);
    dequantized(g, g.op('MatMulInteger', [q.x, w, q.zero, zeroPoint(g)], out, {}, 'int32'), 0.002);
  },
  QLinearConv: (g, c) => {
    const x = g.ofRank(c, 4);
    if (!x) return;
    const [n, inner, ...spatial] = x.dims as [number, number, number, number];
    const width = c.of(widths);
    const q = quantized(g, x);
    const w = bytes(g, [width, inner, 1, 1]);
    const scale = c.flag() ? g.scalar(0.03) : g.weight([width], c, { positive: true });
    const zero = g.ints(scale.dims.length ? new Array<number>(width).fill(128) : [128], scale.dims, 'uint8');
    const bias = c.flag()
      ? g.ints(
          Array.from({ length: width }, () => g.below(50)),
          [width],
          'int32',
        )
      : undefined;
    const y = g.op('QLinearConv', [q.x, q.scale, q.zero, w, scale, zero, q.scale, q.zero, bias], [n, width, ...spatial], {}, 'uint8'); // prettier-ignore
    g.step('DequantizeLinear', [y, q.scale, q.zero], y.dims);
  },
  QLinearMatMul: (g, c) => {
    const x = g.pick(c);
    if (!x) return;
    const width = c.of(widths);
    const q = quantized(g, x);
    const w = bytes(g, [x.dims.at(-1)!, width]);
    const zero = zeroPoint(g);
    const y = g.op('QLinearMatMul', [q.x, q.scale, q.zero, w, g.scalar(0.03), zero, q.scale, q.zero], [...x.dims.slice(0, -1), width], {}, 'uint8'); // prettier-ignore
    g.step('DequantizeLinear', [y, q.scale, q.zero], y.dims);
  },
};
