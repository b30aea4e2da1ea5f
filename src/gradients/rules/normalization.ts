import { floatAttribute, intAttribute } from '../../onnx/attributes.js';
import type { Emitter } from '../emitter.js';
import { axisIndex, product, range, type GradientContext, type GradientRules } from '../rule.js';

export const normalization: GradientRules = {
  BatchNormalization: batchNormalization,
  LayerNormalization: (c) => {
    const rank = c.shape(0).length;
    const axes = range(rank).slice(axisIndex(intAttribute(c.node, 'axis', -1), rank));
    return affine(c, normalized(c, c.input(0), axes, true), c.shape(1));
  },
  RMSNormalization: (c) => {
    const rank = c.shape(0).length;
    const axes = range(rank).slice(axisIndex(intAttribute(c.node, 'axis', -1), rank));
    return affine(c, normalized(c, c.input(0), axes, false), c.shape(1));
  },
  InstanceNormalization: (c) => {
    const rank = c.shape(0).length;
    const dims = [c.shape(1)[0]!, ...range(rank - 2).map(() => 1)];
    return affine(c, normalized(c, c.input(0), range(rank).slice(2), true), dims);
  },
  GroupNormalization: groupNormalization,
  Softmax: (c) => softmax(c, false),
  LogSoftmax: (c) => softmax(c, true),
  LpNormalization: (c) => {
    const e = c.emit;
    if (intAttribute(c.node, 'p', 2) !== 2) c.refuse('only p = 2 is known');
    const axes = [axisIndex(intAttribute(c.node, 'axis', -1), c.shape(0).length)];
    const norm = e.reduce('norm', c.input(0), axes, true);
    const along = e.mul(c.output(), e.sum(e.mul(c.grad(), c.output()), axes, true));
    return [e.div(e.sub(c.grad(), along), norm)];
  },
};

/**
 * With statistics of the batch, which outputs 1 and 2 hold if no others are mixed in: per channel, with s = Σ g,
 * p = Σ g·(x − μ) and N positions, dx = γ/σ · (g − s/N − (x − μ) · p / (N σ²)).
 */
function batchStatistics(c: GradientContext): (string | undefined)[] {
  if (floatAttribute(c.node, 'momentum', 0.9) !== 0) c.refuse('it mixes statistics of the batch with others');
  const e = c.emit;
  const shape = c.shape(0);
  const dims = [shape[1]!, ...shape.slice(2).map(() => 1)];
  const channel = (value: string): string => (shape.length > 2 ? e.reshape(value, dims) : value);
  const axes = range(shape.length).filter((axis) => axis !== 1);
  const count = product(shape) / shape[1]!;
  const variance = e.add(c.output(2), e.scalar(floatAttribute(c.node, 'epsilon', 1e-5)));
  const deviation = e.op('Sqrt', [variance]);
  const scale = e.div(c.input(1), deviation);
  const centred = e.sub(c.input(0), channel(c.output(1)));
  const sum = e.sum(c.grad(), axes);
  const along = e.sum(e.mul(c.grad(), centred), axes);
  const slope = e.scale(e.div(e.mul(scale, along), variance), -1 / count);
  const shift = e.scale(e.mul(scale, sum), -1 / count);
  const x = e.add(e.add(e.mul(c.grad(), channel(scale)), e.mul(centred, channel(slope))), channel(shift));
  return [x, e.div(along, deviation), sum];
}

/** With running statistics: a scale and a shift per channel. */
function batchNormalization(c: GradientContext): (string | undefined)[] {
  if (intAttribute(c.node, 'training_mode', 0)) return batchStatistics(c);
  const e = c.emit;
  const rank = c.shape(0).length;
  const dims = [c.shape(1)[0]!, ...range(Math.max(0, rank - 2)).map(() => 1)];
  const channel = (value: string): string => (rank > 2 ? e.reshape(value, dims) : value);
  const axes = range(rank).filter((axis) => axis !== 1);
  const epsilon = e.scalar(floatAttribute(c.node, 'epsilon', 1e-5));
  const deviation = e.op('Sqrt', [e.add(c.input(4), epsilon)]);
  const scale = e.div(c.input(1), deviation);
  const sum = e.sum(c.grad(), axes);
  // Σ g·(x − μ); μ only after the sum, which saves a pass over the activations.
  const product = e.sub(e.sum(e.mul(c.grad(), c.input(0)), axes), e.mul(c.input(3), sum));
  // dv = −½ · γ · Σ g·(x − μ) / (v + ε)^{3/2}
  const variance = e.div(e.scale(e.mul(product, scale), -0.5), e.mul(deviation, deviation));
  return [
    e.mul(c.grad(), channel(scale)),
    e.div(product, deviation),
    sum,
    e.neg(e.mul(sum, scale)),
    variance,
  ];
}

/** x̂ = (x − mean) / deviation, and what maps a cotangent of x̂ to one of x. */
interface Normalized {
  readonly value: string;
  readonly pull: (g: string) => string;
}

function normalized(c: GradientContext, x: string, axes: readonly number[], centre: boolean): Normalized {
  const e = c.emit;
  const centred = centre ? e.sub(x, e.mean(x, axes, true)) : x;
  const epsilon = e.scalar(floatAttribute(c.node, 'epsilon', 1e-5));
  const variance = e.mean(e.mul(centred, centred), axes, true);
  const deviation = e.op('Sqrt', [e.add(variance, epsilon)]);
  const value = e.div(centred, deviation);
  const pull = (g: string): string => {
    const along = e.mul(value, e.mean(e.mul(g, value), axes, true));
    const rest = centre ? e.sub(g, e.mean(g, axes, true)) : g;
    return e.div(e.sub(rest, along), deviation);
  };
  return { value, pull };
}

/** y = x̂ · scale + shift, where scale and shift broadcast as `dims`. */
function affine(
  c: GradientContext,
  { value, pull }: Normalized,
  dims: readonly number[],
): (string | undefined)[] {
  const e = c.emit;
  const reshaped = (v: string, to: readonly number[], from: readonly number[]): string =>
    to.length === from.length ? v : e.reshape(v, to);
  const scale = reshaped(c.input(1), dims, c.shape(1));
  const collect = (v: string, input: number): string =>
    reshaped(e.unbroadcast(v, c.shape(0), dims), c.shape(input), dims);
  return [
    pull(e.mul(c.grad(), scale)),
    collect(e.mul(c.grad(), value), 1),
    c.has(2) ? collect(c.grad(), 2) : undefined,
  ];
}

function groupNormalization(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  const shape = c.shape(0);
  const [n, channels] = shape as [number, number];
  const groups = intAttribute(c.node, 'num_groups', 1);
  const blocks = [n, groups, product(shape.slice(1)) / groups];
  const { value, pull } = normalized(c, e.reshape(c.input(0), blocks), [2], true);
  const flat: Normalized = {
    value: e.reshape(value, shape),
    pull: (g) => e.reshape(pull(e.reshape(g, blocks)), shape),
  };
  // Until opset 20 scale and shift were per group.
  const repeat = (v: string): string => {
    if (c.shape(1)[0] === channels) return v;
    return e.reshape(e.expand(e.reshape(v, [groups, 1]), [groups, channels / groups]), [channels]);
  };
  const collect = (v: string): string => {
    const perChannel = e.sum(v, [0, ...range(shape.length).slice(2)]);
    if (c.shape(1)[0] === channels) return perChannel;
    return e.sum(e.reshape(perChannel, [groups, channels / groups]), [1]);
  };
  const scale = e.reshape(repeat(c.input(1)), [channels, ...shape.slice(2).map(() => 1)]);
  return [flat.pull(e.mul(c.grad(), scale)), collect(e.mul(c.grad(), flat.value)), collect(c.grad())];
}

function softmax(c: GradientContext, isLog: boolean): (string | undefined)[] {
  const e: Emitter = c.emit;
  const rank = c.shape(0).length;
  const axis = axisIndex(intAttribute(c.node, 'axis', c.opset < 13 ? 1 : -1), rank);
  // Before opset 13 everything from the axis on is one axis.
  const axes = c.opset < 13 ? range(rank).slice(axis) : [axis];
  if (isLog) return [e.sub(c.grad(), e.mul(e.op('Exp', [c.output()]), e.sum(c.grad(), axes, true)))];
  return [e.mul(c.output(), e.sub(c.grad(), e.sum(e.mul(c.grad(), c.output()), axes, true)))];
}
