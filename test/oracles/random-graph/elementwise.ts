import { ops, opsIn } from '../../../src/ops/index.js';
import { stepsFor, type GraphBuilder, type Step, type Steps, type Value } from './builder.js';
import type { Choices } from './choices.js';
import { layer } from './layers.js';

const unary = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c);
  if (x) g.step(op, [x], x.dims);
};

/** Values in (-1, 1), for functions that grow fast. */
const bounded = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c);
  if (!x) return;
  const small = g.op('Mul', [g.op('Tanh', [x], x.dims), g.scalar(0.9)], x.dims);
  g.step(op, [small], x.dims);
};

/** Values that are well above 0. */
export function positive(g: GraphBuilder, x: Value, by = 0.5): Value {
  return g.op('Add', [g.op('Abs', [x], x.dims), g.scalar(by)], x.dims);
}

const positiveOnly = (op: string, by?: number) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c);
  if (x) g.step(op, [positive(g, x, by)], x.dims);
};

export const truth = (g: GraphBuilder, x: Value, c: Choices): Value =>
  g.op(c.of(['Greater', 'Less']), [x, c.flag() ? g.scalar(0.1) : operand(g, x, c)], x.dims, {}, 'bool');

const toFloat = (g: GraphBuilder, x: Value): Value => g.step('Cast', [x], x.dims, { to: 1 });

const whole = (g: GraphBuilder, x: Value, to: number): Value =>
  g.op('Cast', [positive(g, x)], x.dims, { to }, to === 6 ? 'int32' : 'uint32');

/** A second operand: another value of the same dims, a new branch, or a parameter that broadcasts. */
export function operand(g: GraphBuilder, x: Value, c: Choices): Value {
  const form = c.below(5);
  if (form <= 1) {
    const other = g.pick(c, (y) => y.name !== x.name && y.dims.join() === x.dims.join());
    if (other) return other;
    const branch = layer(g, x, c, x.dims[1]);
    if (branch.dims.join() === x.dims.join()) return branch;
  }
  if (form === 2)
    return g.weight(
      x.dims.slice(1).map((dim, i) => (i > 0 && x.dims.length > 3 ? 1 : dim)),
      c,
    );
  if (form === 3) return g.weight(x.dims.slice(-1), c);
  if (form === 4) {
    const gate = g.pick(
      c,
      (y) =>
        y.name !== x.name &&
        y.dims.length === x.dims.length &&
        y.dims.every((dim, i) => dim === x.dims[i] || dim === 1),
    );
    if (gate) return gate;
  }
  return g.weight([1, x.dims[1]!, ...x.dims.slice(2).map(() => 1)], c);
}

const binary = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c);
  if (!x) return;
  const y = operand(g, x, c);
  g.step(op, c.flag() && op !== 'PRelu' ? [y, x] : [x, y], x.dims);
};

const variadic = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c);
  if (!x) return;
  const more = Array.from({ length: 1 + c.below(2) }, () => operand(g, x, c));
  g.step(op, [x, ...more], x.dims);
};

const compare = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c);
  if (x) toFloat(g, g.op(op, [x, operand(g, x, c)], x.dims, {}, 'bool'));
};

const logic = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c);
  if (x) toFloat(g, g.op(op, [truth(g, x, c), truth(g, x, c)], x.dims, {}, 'bool'));
};

const bits = (op: string) => (g: GraphBuilder, c: Choices) => {
  const x = g.pick(c);
  if (x) toFloat(g, g.op(op, [whole(g, x, 6), whole(g, operand(g, x, c), 6)], x.dims, {}, 'int32'));
};

/** Ops that newer opsets brought, or that don't take any numbers. */
const unlikeOthers: Steps = {
  Dropout: (g, c) => {
    const x = g.pick(c);
    if (!x) return;
    if (c.flag()) g.step('Dropout', [x], x.dims);
    else {
      const [y, mask] = g.multi('Dropout', [x], [x.dims, x.dims]) as [Value, Value];
      g.step('Where', [mask, y, g.scalar(2)], x.dims);
    }
  },
  ...stepsFor('HardSwish', unary, 14),
  ...stepsFor('Mish', unary, 18),
  ...stepsFor('Gelu', unary, 20),
  ...stepsFor('Swish', unary, 24),
  ...stepsFor('Acos Asin Atanh Cosh Exp Sinh Tan', bounded),
  ...stepsFor('Log Reciprocal Sqrt', (op) => positiveOnly(op)),
  Acosh: positiveOnly('Acosh', 1.5),
  ...stepsFor('Equal Greater Less GreaterOrEqual LessOrEqual', compare),
  ...stepsFor('And Or Xor', logic),
  ...stepsFor('BitwiseAnd BitwiseOr BitwiseXor', bits, 18),
  BitwiseNot: {
    since: 18,
    step: (g, c) => {
      const x = g.pick(c);
      if (x) toFloat(g, g.op('BitwiseNot', [whole(g, x, 6)], x.dims, {}, 'int32'));
    },
  },
  BitShift: (g, c) => {
    const x = g.pick(c);
    if (!x) return;
    const by = g.ints(x.dims.slice(-1).flatMap((dim) => Array.from({ length: dim }, () => 1)), x.dims.slice(-1), 'uint32'); // prettier-ignore
    toFloat(g, g.op('BitShift', [whole(g, x, 12), by], x.dims, { direction: 'LEFT' }, 'uint32'));
  },
  Not: (g, c) => {
    const x = g.pick(c);
    if (x) toFloat(g, g.op('Not', [truth(g, x, c)], x.dims, {}, 'bool'));
  },
  ...stepsFor('IsNaN IsInf', (op) => (g, c) => {
    const x = g.pick(c);
    if (x) toFloat(g, g.op(op, [x], x.dims, {}, 'bool'));
  }),
  Where: (g, c) => {
    const x = g.pick(c);
    if (x) g.step('Where', [truth(g, x, c), x, operand(g, x, c)], x.dims);
  },
  Cast: (g, c) => {
    const x = g.pick(c);
    if (x) g.step('Cast', [g.op('Cast', [x], x.dims, { to: 11 }, 'float64')], x.dims, { to: 1 });
  },
  BitCast: {
    since: 26,
    step: (g, c) => {
      const x = g.pick(c);
      if (x) g.step('BitCast', [g.op('BitCast', [x], x.dims, { to: 6 }, 'int32')], x.dims, { to: 1 });
    },
  },
  CastLike: {
    since: 15,
    step: (g, c) => {
      const x = g.pick(c);
      if (x) g.step('CastLike', [x, g.floats([1])], x.dims);
    },
  },
  Clip: (g, c) => {
    const x = g.pick(c);
    if (x) g.step('Clip', [x, c.flag() ? g.scalar(-0.7) : undefined, g.scalar(0.8)], x.dims);
  },
  Div: (g, c) => {
    const x = g.pick(c);
    if (!x) return;
    const y = operand(g, x, c);
    g.step('Div', [x, positive(g, y)], x.dims);
  },
  Pow: (g, c) => {
    const x = g.pick(c);
    if (x) g.step('Pow', [positive(g, x), c.flag() ? g.scalar(0.5) : g.weight(x.dims.slice(-1), c)], x.dims);
  },
  Mod: (g, c) => {
    const x = g.pick(c);
    if (x) g.step('Mod', [x, positive(g, operand(g, x, c))], x.dims, { fmod: 1 });
  },
};

/** Any numbers in, as many operands as the registry names. */
function pointwise(op: string): Step {
  const { inputs } = ops.get(op)!;
  if (inputs.at(-1)!.endsWith('…')) return variadic(op);
  return inputs.length === 1 ? unary(op) : binary(op);
}

export const elementwise: Steps = {
  ...unlikeOthers,
  ...Object.fromEntries(
    opsIn('elementwise').flatMap((op) => (op in unlikeOthers ? [] : [[op, pointwise(op)]])),
  ),
};
