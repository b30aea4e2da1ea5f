import { positive } from './elementwise.js';
import { stepsFor, type Attributes, type GraphBuilder, type Steps, type Value } from './builder.js';
import type { Choices } from './choices.js';
import { linear } from './layers.js';

const axisOf = (x: Value, c: Choices, from = 1): number => from + c.below(x.dims.length - from);
const signed = (axis: number, x: Value, c: Choices): number => (c.flag() ? axis - x.dims.length : axis);

const softmax = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c, ({ dims }) => dims.length > 1);
  if (x) g.step(op, [x], x.dims, { axis: signed(axisOf(x, c), x, c) });
};

const layerNorm = (op: string, hasBias: boolean) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c, ({ dims }) => dims.length > 1 && dims.at(-1)! > 2);
  if (!x) return;
  const axis = hasBias ? axisOf(x, c) : x.dims.length - 1;
  const inner = x.dims.slice(axis);
  const bias = hasBias && c.flag() ? g.weight(inner, c) : undefined;
  const how = { axis: axis - x.dims.length };
  if (op === 'LayerNormalization' && c.below(4) === 1) {
    const single = x.dims.map((dim, i) => (i < axis ? dim : 1));
    const outputs = [x.dims, single, single];
    const [y, mean] = g.multi(op, [x, g.weight(inner, c), bias], outputs, how) as [Value, Value];
    g.step('Sub', [y, mean], x.dims);
  } else g.step(op, [x, g.weight(inner, c), bias], x.dims, how);
};

export const normalization: Steps = {
  BatchNormalization: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const dims = [x.dims[1]!];
    const parameters = [0, 1, 2].map(() => g.weight(dims, c));
    g.step('BatchNormalization', [x, ...parameters, g.weight(dims, c, { positive: true })], x.dims);
  },
  InstanceNormalization: (g, c) => {
    const x = g.ofRank(c, c.of([3, 4]), ({ dims }) => dims.slice(2).reduce((a, b) => a * b, 1) > 3);
    if (x) g.step('InstanceNormalization', [x, g.weight([x.dims[1]!], c), g.weight([x.dims[1]!], c)], x.dims);
  },
  ...stepsFor('LayerNormalization', (op) => layerNorm(op, true), 17),
  ...stepsFor('RMSNormalization', (op) => layerNorm(op, false), 23),
  ...stepsFor('SimplifiedLayerNormalization', (op) => layerNorm(op, false)),
  GroupNormalization: {
    since: 18,
    step: (g, c) => {
      const x = g.ofRank(c, c.of([3, 4]), ({ dims }) => dims[1]! % 2 === 0 && dims.at(-1)! > 1);
      if (!x) return;
      const groups = c.of([1, 2].concat(x.dims[1]! % 4 === 0 ? [4] : []));
      const width = g.opset >= 21 ? x.dims[1]! : groups;
      g.step('GroupNormalization', [x, g.weight([width], c), g.weight([width], c)], x.dims, {
        num_groups: groups,
      });
    },
  },
  /** As exporters write it for older opsets. */
  SplitGroupNorm: (g, c) => {
    const x = g.ofRank(c, 4, ({ dims }) => dims[1]! % 2 === 0 && dims[2]! * dims[3]! > 1);
    if (!x) return;
    const [n, channels, h, w] = x.dims as [number, number, number, number];
    const nested = g.reshape(x, [n, 2, (channels / 2) * h * w], c);
    const ones = [g.floats([1, 1]), g.floats([0, 0])];
    const normal = g.op('InstanceNormalization', [nested, ...ones], nested.dims);
    const back = g.reshape(normal, [n, channels, h, w], c);
    g.step('Mul', [back, g.weight([channels, 1, 1], c)], x.dims);
  },
  LpNormalization: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (x) g.step('LpNormalization', [x], x.dims, { axis: axisOf(x, c) });
  },
  MeanVarianceNormalization: (g, c) => {
    const x = g.ofRank(c, 4, ({ dims }) => dims[2]! * dims[3]! > 3);
    if (!x) return;
    // onnxruntime takes the root of a rounding error, maybe a negative one, where all elements are the same.
    const varied = g.op('Add', [x, g.weight(x.dims.slice(2), c, { scale: 3 })], x.dims);
    g.step('MeanVarianceNormalization', [varied], x.dims, {
      axes: c.of([
        [2, 3],
        [0, 2, 3],
      ]),
    });
  },
  LRN: (g, c) => {
    const x = g.ofRank(c, 4);
    if (x) g.step('LRN', [x], x.dims, { size: 3 });
  },
  ...stepsFor('Softmax LogSoftmax Hardmax', softmax),
};

const pool = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.ofRank(c, c.of([4, 4, 3]), ({ dims }) => dims.slice(2).every((d) => d > 1));
  if (!x) return;
  const stride = c.of([1, 2]);
  const spatial = x.dims.slice(2);
  // The last window may stick out; onnxruntime's LpPool doesn't know that.
  const ceil = op !== 'LpPool' && g.opset >= 10 && c.below(4) === 1;
  const round = ceil ? Math.ceil : Math.floor;
  const out = [...x.dims.slice(0, 2), ...spatial.map((d) => round((d - 2) / stride) + 1)];
  const how = {
    kernel_shape: spatial.map(() => 2),
    strides: spatial.map(() => stride),
    ...(ceil && { ceil_mode: 1 }),
  };
  // Where the largest were found: positions that are counted over all channels.
  if (op === 'MaxPool' && c.below(6) === 1) {
    const [y, places] = g.multi(op, [x], [out, out], how) as [Value, Value];
    const far = g.op('Mul', [g.op('Cast', [places], out, { to: 1 }), g.scalar(0.01)], out);
    g.step('Add', [y, far], out);
  } else g.step(op, [x], out, how);
};

const globalPool = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.ofRank(c, c.of([4, 3]));
  if (x) g.step(op, [x], [...x.dims.slice(0, 2), ...x.dims.slice(2).map(() => 1)]);
};

export const pooling: Steps = {
  ...stepsFor('MaxPool AveragePool LpPool', pool),
  ...stepsFor('GlobalAveragePool GlobalMaxPool', globalPool),
  ...stepsFor('GlobalLpPool', globalPool, 0, 21),
  /** Squeeze and excitation: a gate over channels. */
  ChannelGate: (g, c) => {
    const x = g.ofRank(c, 4);
    if (!x) return;
    const [n, width] = x.dims as [number, number];
    const pooled = g.op('GlobalAveragePool', [x], [n, width, 1, 1]);
    const inner = c.of([2, 3, 4]);
    const down = g.op('Conv', [pooled, g.weight([inner, width, 1, 1], c)], [n, inner, 1, 1]);
    const act = g.op('Relu', [down], down.dims);
    const up = g.op('Conv', [act, g.weight([width, inner, 1, 1], c), g.weight([width], c)], [n, width, 1, 1]);
    g.step('Mul', [x, g.op('Sigmoid', [up], up.dims)], x.dims);
  },
};

/** Axes as an attribute or an input, whichever the opset says. */
function reduced(g: GraphBuilder, op: string, x: Value, c: Choices, source = x): void {
  const count = Math.min(1 + c.below(2), x.dims.length - 1);
  const first = axisOf(x, c);
  const second = axisOf(x, c);
  const axes = [...new Set([first, ...(count > 1 ? [second] : [])])];
  const keep = c.flag() || axes.length === x.dims.length - 1 ? 1 : 0;
  const dims = x.dims.flatMap((dim, i) => (axes.includes(i) ? (keep ? [1] : []) : [dim]));
  const asInput = g.opset >= (op === 'ReduceSum' ? 13 : 18);
  const given = axes.map((axis) => signed(axis, x, c));
  const how: Attributes = asInput ? { keepdims: keep } : { keepdims: keep, axes: given };
  g.step(op, [source, ...(asInput ? [g.ints(given)] : [])], dims, how);
}

const reduce = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c, ({ dims }) => dims.length > 1);
  if (!x) return;
  const mustBePositive = op === 'ReduceLogSum';
  reduced(g, op, x, c, mustBePositive ? positive(g, x) : x);
};

export const reduction: Steps = {
  ...stepsFor(
    `ReduceSum ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSum ReduceMean ReduceMax ReduceMin ReduceProd
     ReduceLogSumExp`,
    reduce,
  ),
  ...stepsFor('ArgMax ArgMin', (op) => (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = axisOf(x, c);
    const found = g.op(op, [x], x.dims.with(axis, 1), { axis, keepdims: 1 }, 'int64');
    g.step('Cast', [found], found.dims, { to: 1 });
  }),
  /** Of 3 × 3 matrices. */
  Det: (g, c) => {
    const x = g.ofRank(c, 3, ({ dims }) => dims[1]! * 9 < 400);
    if (!x) return;
    const [n, width] = x.dims as [number, number];
    const matrices = g.reshape(linear(g, x, c, 9), [n, width, 3, 3], c);
    g.step('Det', [matrices], [n, width]);
  },
  DFT: {
    since: 17,
    step: (g, c) => {
      const x = g.ofRank(c, 3);
      if (!x) return;
      const signal = g.reshape(x, [...x.dims, 1], c);
      const axis = c.of([1, 2]);
      const dims = [...x.dims, 2];
      if (g.opset < 20) g.step('DFT', [signal], dims, { axis });
      else g.step('DFT', [signal, undefined, g.ints([axis], [])], dims);
    },
  },
  STFT: {
    since: 17,
    step: (g, c) => {
      const x = g.ofRank(c, 2);
      if (!x) return;
      const n = x.dims[0]!;
      const signal = g.reshape(linear(g, x, c, 12), [n, 12, 1], c);
      const window = c.flag() ? g.weight([8], c) : undefined;
      g.step('STFT', [signal, g.ints([4], []), window, g.ints([8], [])], [n, 2, 5, 2]);
    },
  },
};
