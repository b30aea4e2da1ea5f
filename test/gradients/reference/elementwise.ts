import type { Draw } from './nd.js';
import { broadcast, type Case, type Cases, type MakeCase, type Nd } from './nd.js';

interface Unary {
  readonly f: (x: number) => number;
  readonly low?: number;
  readonly high?: number;
  readonly gaps?: readonly number[];
  readonly attributes?: Case['attributes'];
  readonly opset?: number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => Math.log(1 + Math.exp(x));

/** Abramowitz and Stegun 7.1.5: the series, exact to double precision for |x| ≤ 3. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= -(x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const alpha = (value: number): Case['attributes'] => ({ alpha: { float: value } });

const unaries: Readonly<Record<string, readonly Unary[]>> = {
  Identity: [{ f: (x) => x }],
  Dropout: [{ f: (x) => x }],
  Cast: [{ f: (x) => x, attributes: { to: 1 } }],
  Neg: [{ f: (x) => -x }],
  Abs: [{ f: Math.abs }],
  Relu: [{ f: (x) => Math.max(0, x) }],
  LeakyRelu: [
    { f: (x) => (x > 0 ? x : 0.01 * x) },
    { f: (x) => (x > 0 ? x : 0.3 * x), attributes: alpha(0.3) },
  ],
  ThresholdedRelu: [{ f: (x) => (x > 1 ? x : 0), gaps: [1] }],
  Elu: [{ f: (x) => (x > 0 ? x : 1.5 * (Math.exp(x) - 1)), attributes: alpha(1.5) }],
  Celu: [{ f: (x) => (x > 0 ? x : 1.5 * (Math.exp(x / 1.5) - 1)), attributes: alpha(1.5) }],
  Selu: [{ f: (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * (Math.exp(x) - 1)) }],
  Sigmoid: [{ f: sigmoid }],
  Tanh: [{ f: Math.tanh }],
  HardSigmoid: [{ f: (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)), low: -4, high: 4, gaps: [-2.5, 2.5] }],
  HardSwish: [{ f: (x) => x * Math.min(1, Math.max(0, x / 6 + 0.5)), low: -5, high: 5, gaps: [-3, 3] }],
  Softplus: [{ f: softplus }],
  Softsign: [{ f: (x) => x / (1 + Math.abs(x)) }],
  Mish: [{ f: (x) => x * Math.tanh(softplus(x)), opset: 18 }],
  Swish: [{ f: (x) => x * sigmoid(1.5 * x), attributes: alpha(1.5), opset: 24 }],
  Gelu: [
    { f: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)), opset: 20 },
    {
      f: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
      attributes: { approximate: 'tanh' },
      opset: 20,
    },
  ],
  Exp: [{ f: Math.exp }],
  Log: [{ f: Math.log, low: 0.2, high: 3 }],
  Sqrt: [{ f: Math.sqrt, low: 0.2, high: 3 }],
  Reciprocal: [{ f: (x) => 1 / x, low: 0.3, high: 3 }],
  Erf: [{ f: erf }],
  Sin: [{ f: Math.sin }],
  Cos: [{ f: Math.cos }],
  Tan: [{ f: Math.tan, low: -1, high: 1 }],
  Asin: [{ f: Math.asin, low: -0.8, high: 0.8 }],
  Acos: [{ f: Math.acos, low: -0.8, high: 0.8 }],
  Atan: [{ f: Math.atan }],
  Sinh: [{ f: Math.sinh }],
  Cosh: [{ f: Math.cosh }],
};

const unary =
  ({ f, low, high, gaps = [0], attributes, opset }: Unary): MakeCase =>
  (draw) => ({
    inputs: [draw.uniform(draw.dims(draw.int(1, 4)), low, high, gaps)],
    ...(attributes && { attributes }),
    ...(opset !== undefined && { opset }),
    forward: ([x]) => [broadcast([x!], f)],
  });

/** Shapes that broadcast against each other, of ranks that may differ. */
function shapes(draw: Draw, n: number): number[][] {
  const full = draw.dims(draw.int(1, 4), 1, 3);
  return Array.from({ length: n }, (_, k) => {
    const own = full.map((size) => (k > 0 && draw.int(0, 2) === 0 ? 1 : size));
    return k > 0 ? own.slice(draw.int(0, own.length - 1)) : own;
  });
}

const spread =
  (n: number, f: (...values: number[]) => number, low = -2, high = 2, more: Partial<Case> = {}): MakeCase =>
  (draw) => ({
    inputs: shapes(draw, n).map((dims) => draw.uniform(dims, low, high)),
    forward: (inputs) => [broadcast(inputs, f)],
    ...more,
  });

/** Operands that never come close to each other: all their values are distinct. */
const apart =
  (f: (...values: number[]) => number): MakeCase =>
  (draw) => {
    const dims = draw.dims(2);
    const all = draw.distinct([3, ...dims]);
    const size = all.data.length / 3;
    const inputs = [0, 1, 2].map((k): Nd => ({ dims, data: all.data.slice(k * size, (k + 1) * size) }));
    return { inputs, forward: (own) => [broadcast(own, f)] };
  };

export const elementwise: Cases = {
  ...Object.fromEntries(Object.entries(unaries).map(([op, list]) => [op, list.map(unary)])),
  Add: [spread(2, (a, b) => a + b)],
  Sub: [spread(2, (a, b) => a - b)],
  Mul: [spread(2, (a, b) => a * b)],
  Div: [spread(2, (a, b) => a / b, 0.5, 2)],
  Pow: [
    spread(2, (a, b) => a ** b, 0.3, 2),
    (draw) => ({
      inputs: [draw.uniform(draw.dims(2))],
      integers: { 1: { dims: [], data: [2] } },
      forward: ([x]) => [broadcast([x!], (v) => v * v)],
    }),
  ],
  Sum: [spread(3, (a, b, c) => a + b + c)],
  Mean: [spread(3, (a, b, c) => (a + b + c) / 3)],
  Max: [apart(Math.max)],
  Min: [apart(Math.min)],
  PRelu: [
    (draw) => {
      const dims = [2, draw.int(1, 3), draw.int(1, 3)];
      return {
        inputs: [draw.uniform(dims), draw.uniform([dims[1]!, 1])],
        forward: (inputs) => [broadcast(inputs, (x, slope) => (x > 0 ? x : slope * x))],
      };
    },
  ],
  Where: [
    (draw) => {
      const [a, b] = shapes(draw, 2) as [number[], number[]];
      const mask = a.map(() => 1).concat(a).slice(a.length); // prettier-ignore
      const data = Array.from({ length: mask.reduce((x, y) => x * y, 1) }, () => draw.int(0, 1));
      const condition: Nd = { dims: mask, data: Float64Array.from(data) };
      return {
        inputs: [draw.uniform(a), draw.uniform(b)],
        places: [1, 2],
        booleans: { 0: { dims: mask, data } },
        forward: ([x, y]) => [broadcast([condition, x!, y!], (c, v, w) => (c ? v : w))],
      };
    },
  ],
  Clip: [
    (draw) => ({
      inputs: [draw.uniform(draw.dims(3), -3, 3, [-1, 1.5])],
      attributes: { min: { float: -1 }, max: { float: 1.5 } },
      opset: 10,
      forward: ([x]) => [broadcast([x!], (v) => Math.min(1.5, Math.max(-1, v)))],
    }),
  ],
  CastLike: [
    (draw) => ({
      inputs: [draw.uniform(draw.dims(2)), draw.uniform([1])],
      forward: ([x]) => [broadcast([x!], (v) => v)],
    }),
  ],
};
