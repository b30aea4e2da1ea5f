import { intAttribute } from '../../onnx/attributes.js';
import type { Emitter } from '../emitter.js';
import {
  axisIndex,
  product,
  range,
  type GradientContext,
  type GradientRule,
  type GradientRules,
} from '../rule.js';

interface Reduced {
  readonly e: Emitter;
  readonly c: GradientContext;
  readonly x: string;
  /** Output and its cotangent with the reduced axes kept as size 1. */
  readonly y: string;
  readonly g: string;
  readonly axes: readonly number[];
  readonly dims: readonly number[];
  /** Number of elements behind each output. */
  readonly count: number;
}

function reducing(derivative: (reduced: Reduced) => string): GradientRule {
  return (c) => {
    const dims = c.shape(0);
    const given = c.parameter('axes');
    if (given === undefined || given.length === 0) {
      if (intAttribute(c.node, 'noop_with_empty_axes', 0)) return [c.grad()];
    }
    const axes = given?.length ? given.map((axis) => axisIndex(axis, dims.length)) : range(dims.length);
    const kept = dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const e = c.emit;
    const isKept = c.outputShape().length === kept.length;
    const [y, g] = [c.output(), c.grad()].map((v) => (isKept ? v : e.reshape(v, kept))) as [string, string];
    const count = product(axes.map((axis) => dims[axis]!));
    return [derivative({ e, c, x: c.input(0), y, g, axes, dims, count })];
  };
}

/** Elements that are the extremum share its cotangent. */
const extremum = reducing(({ e, x, y, g, axes }) => {
  const hits = e.indicator(e.op('Equal', [x, y]));
  return e.mul(hits, e.div(g, e.sum(hits, axes, true)));
});

export const reduction: GradientRules = {
  ReduceSum: reducing(({ e, g, dims }) => e.expand(g, dims)),
  ReduceMean: reducing(({ e, g, dims, count }) => e.expand(e.scale(g, 1 / count), dims)),
  ReduceMax: extremum,
  ReduceMin: extremum,
  ReduceProd: reducing(({ e, x, y, g }) => e.div(e.mul(g, y), x)),
  ReduceL1: reducing(({ e, x, g }) => e.mul(g, e.op('Sign', [x]))),
  ReduceL2: reducing(({ e, x, y, g }) => e.mul(x, e.div(g, y))),
  ReduceSumSquare: reducing(({ e, x, g }) => e.mul(g, e.scale(x, 2))),
  ReduceLogSum: reducing(({ e, y, g, dims }) => e.expand(e.div(g, e.op('Exp', [y])), dims)),
  ReduceLogSumExp: reducing(({ e, x, y, g }) => e.mul(g, e.op('Exp', [e.sub(x, y)]))),
  // The sum of what comes after: the same running sum from the other end.
  CumSum: (c) => [
    c.emit.op('CumSum', [c.grad(), c.input(1)], {
      exclusive: intAttribute(c.node, 'exclusive', 0),
      reverse: 1 - intAttribute(c.node, 'reverse', 0),
    }),
  ],
};
