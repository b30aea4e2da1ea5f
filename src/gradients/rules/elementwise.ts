import { floatAttribute, intAttribute, stringAttribute } from '../../onnx/attributes.js';
import type { Emitter } from '../emitter.js';
import { ruleFor, type GradientContext, type GradientRule, type GradientRules } from '../rule.js';

/** The derivative of one input by the forward values, of the output's shape; undefined = 1. */
type Derivative = (e: Emitter, c: GradientContext) => string | undefined;

const one: Derivative = () => undefined;

/** y = f(x): dx = g · f'(x). */
function unary(derivative: Derivative): GradientRule {
  return (c) => {
    const d = derivative(c.emit, c);
    return [d === undefined ? c.grad() : c.emit.mul(c.grad(), d)];
  };
}

/** Broadcasting operands: each cotangent is summed over what was repeated, once, here. */
function broadcast(derivative: (e: Emitter, c: GradientContext, input: number) => string): GradientRule {
  return (c) =>
    c.node.inputs.map((_, i) =>
      c.wants(i) ? c.emit.unbroadcast(derivative(c.emit, c, i), c.outputShape(), c.shape(i)) : undefined,
    );
}

const x = (c: GradientContext): string => c.input(0);
const y = (c: GradientContext): string => c.output();
const square = (e: Emitter, a: string): string => e.mul(a, a);
const greater = (e: Emitter, a: string, bound: number): string => e.op('Greater', [a, e.scalar(bound)]);
/** 1 where a value lies between bounds, else 0. */
const inside = (e: Emitter, a: string, low: number, high: number): string => {
  const above = low === 0 ? a : e.sub(a, e.scalar(low));
  return e.step(e.mul(above, e.sub(e.scalar(high), a)));
};
/** a where x > 0, else b. */
const bySign = (e: Emitter, c: GradientContext, a: string, b: string): string =>
  e.where(greater(e, x(c), 0), a, b);
const oneMinus = (e: Emitter, a: string): string => e.sub(e.scalar(1), a);
const alpha = (c: GradientContext, fallback: number): number => floatAttribute(c.node, 'alpha', fallback);

const derivatives: Readonly<Record<string, Derivative>> = {
  Identity: one,
  Dropout: one,
  Neg: (e) => e.scalar(-1),
  Abs: (e, c) => e.op('Sign', [x(c)]),
  Relu: (e, c) => e.step(y(c)),
  LeakyRelu: (e, c) => bySign(e, c, e.scalar(1), e.scalar(alpha(c, 0.01))),
  ThresholdedRelu: (e, c) => e.indicator(greater(e, x(c), alpha(c, 1))),
  Elu: (e, c) => bySign(e, c, e.scalar(1), e.add(y(c), e.scalar(alpha(c, 1)))),
  // exp(x/α) = y/α + 1
  Celu: (e, c) => bySign(e, c, e.scalar(1), e.add(e.scale(y(c), 1 / alpha(c, 1)), e.scalar(1))),
  Selu: (e, c) => {
    const [a, gamma] = [alpha(c, 1.67326319217681884765625), floatAttribute(c.node, 'gamma', 1.05070102214813232421875)]; // prettier-ignore
    return bySign(e, c, e.scalar(gamma), e.add(y(c), e.scalar(a * gamma)));
  },
  Sigmoid: (e, c) => e.mul(y(c), oneMinus(e, y(c))),
  Tanh: (e, c) => oneMinus(e, square(e, y(c))),
  HardSigmoid: (e, c) => e.scale(inside(e, y(c), 0, 1), alpha(c, 0.2)),
  // x·h with h = x/6 + ½ clipped to 0 … 1: h + x/6 where it isn't clipped
  HardSwish: (e, c) => {
    const h = e.hardSigmoid(x(c), 1 / 6, 0.5);
    return e.add(h, e.mul(e.scale(x(c), 1 / 6), inside(e, h, 0, 1)));
  },
  Softplus: (e, c) => e.op('Sigmoid', [x(c)]),
  Softsign: (e, c) => e.op('Reciprocal', [square(e, e.add(e.scalar(1), e.op('Abs', [x(c)])))]),
  // x·tanh(s), s = softplus(x): tanh(s) + x·(1 − tanh²(s))·sigmoid(x)
  Mish: (e, c) => {
    const t = e.op('Tanh', [e.op('Softplus', [x(c)])]);
    const rest = e.mul(oneMinus(e, square(e, t)), e.op('Sigmoid', [x(c)]));
    return e.add(t, e.mul(x(c), rest));
  },
  Swish: (e, c) => {
    const s = e.op('Sigmoid', [e.scale(x(c), alpha(c, 1))]);
    return e.add(s, e.scale(e.mul(e.mul(x(c), s), oneMinus(e, s)), alpha(c, 1)));
  },
  Gelu: gelu,
  Exp: (_, c) => y(c),
  Log: (e, c) => e.op('Reciprocal', [x(c)]),
  Sqrt: (e, c) => e.div(e.scalar(0.5), y(c)),
  Reciprocal: (e, c) => e.neg(square(e, y(c))),
  Erf: (e, c) => e.scale(e.op('Exp', [e.neg(square(e, x(c)))]), 2 / Math.sqrt(Math.PI)),
  Sin: (e, c) => e.op('Cos', [x(c)]),
  Cos: (e, c) => e.neg(e.op('Sin', [x(c)])),
  Tan: (e, c) => e.add(e.scalar(1), square(e, y(c))),
  Asin: (e, c) => e.op('Reciprocal', [e.op('Sqrt', [oneMinus(e, square(e, x(c)))])]),
  Acos: (e, c) => e.neg(e.op('Reciprocal', [e.op('Sqrt', [oneMinus(e, square(e, x(c)))])])),
  Atan: (e, c) => e.op('Reciprocal', [e.add(e.scalar(1), square(e, x(c)))]),
  Sinh: (e, c) => e.op('Cosh', [x(c)]),
  Cosh: (e, c) => e.op('Sinh', [x(c)]),
};

function gelu(e: Emitter, c: GradientContext): string {
  if (stringAttribute(c.node, 'approximate', 'none') === 'tanh') {
    // 0.5·x·(1 + tanh(u)), u = k·(x + a·x³)
    const [k, a] = [Math.sqrt(2 / Math.PI), 0.044715];
    const x2 = square(e, x(c));
    const t = e.op('Tanh', [e.mul(x(c), e.add(e.scalar(k), e.scale(x2, k * a)))]);
    const du = e.add(e.scalar(k), e.scale(x2, 3 * k * a));
    const slope = e.mul(e.mul(x(c), oneMinus(e, square(e, t))), du);
    return e.scale(e.add(e.add(t, e.scalar(1)), slope), 0.5);
  }
  const cdf = e.scale(e.add(e.op('Erf', [e.scale(x(c), Math.SQRT1_2)]), e.scalar(1)), 0.5);
  const density = e.scale(e.op('Exp', [e.scale(square(e, x(c)), -0.5)]), 1 / Math.sqrt(2 * Math.PI));
  return e.add(cdf, e.mul(x(c), density));
}

/** The operand that is the extremum takes the cotangent; of equal ones each its share. */
const extremum = broadcast((e, c, i) => {
  const hits = c.node.inputs.map((_, k) => e.indicator(e.op('Equal', [c.input(k), c.output()])));
  return e.mul(c.grad(), e.div(hits[i]!, hits.length === 1 ? e.scalar(1) : e.op('Sum', hits)));
});

export const elementwise: GradientRules = {
  ...Object.fromEntries(Object.entries(derivatives).map(([op, derivative]) => [op, unary(derivative)])),
  ...ruleFor('Add Sum', broadcast((_, c) => c.grad())), // prettier-ignore
  Sub: broadcast((e, c, i) => (i === 0 ? c.grad() : e.neg(c.grad()))),
  Mul: broadcast((e, c, i) => e.mul(c.grad(), c.input(1 - i))),
  Div: broadcast((e, c, i) => {
    const quotient = e.div(c.grad(), c.input(1));
    return i === 0 ? quotient : e.neg(e.mul(quotient, c.output()));
  }),
  Pow: broadcast((e, c, i) => {
    const [base, exponent] = [c.input(0), c.input(1)];
    const power = c.numbers(1);
    if (i === 0 && power?.length === 1 && power[0] === 2) return e.mul(c.grad(), e.scale(base, 2));
    if (i === 1) return e.mul(c.grad(), e.mul(c.output(), e.op('Log', [base])));
    // The exponent may be an integer tensor.
    const p = e.op('CastLike', [exponent, base]);
    return e.mul(c.grad(), e.mul(p, e.op('Pow', [base, e.sub(p, e.scalar(1))])));
  }),
  Mean: broadcast((e, c) => e.scale(c.grad(), 1 / c.inputCount)),
  ...ruleFor('Max Min', extremum),
  PRelu: broadcast((e, c, i) => {
    const isPositive = greater(e, x(c), 0);
    if (i === 0) return e.mul(c.grad(), e.where(isPositive, e.scalar(1), c.input(1)));
    return e.mul(c.grad(), e.where(isPositive, e.scalar(0), x(c)));
  }),
  Where: broadcast((e, c, i) =>
    i === 1 ? e.where(c.input(0), c.grad(), e.scalar(0)) : e.where(c.input(0), e.scalar(0), c.grad()),
  ),
  Clip: (c) => {
    const e = c.emit;
    const [min, max] = [c.parameter('min')?.[0], c.parameter('max')?.[0]];
    if (min !== undefined && max !== undefined) return [e.mul(c.grad(), inside(e, x(c), min, max))];
    if (min !== undefined) return [e.mul(c.grad(), e.step(e.sub(x(c), e.scalar(min))))];
    if (max !== undefined) return [e.mul(c.grad(), e.step(e.sub(e.scalar(max), x(c))))];
    return [c.grad()];
  },
  // Only from float32 to itself: other float types are refused before.
  ...ruleFor('Cast CastLike', (c) => [
    intAttribute(c.node, 'to', 1) === 1 ? c.grad() : c.refuse('it casts to another type'),
  ]),
};
