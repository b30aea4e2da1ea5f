import { floatAttribute, intAttribute, stringAttribute } from '../../onnx/attributes.js';
import type { Emitter } from '../emitter.js';
import { range, type GradientContext, type GradientRules } from '../rule.js';

/** Unrolled over time: the gates of all steps are recomputed at once from the states that the op wrote. */
export const recurrent: GradientRules = { LSTM: lstm, GRU: gru };

interface Direction {
  readonly e: Emitter;
  readonly steps: number;
  readonly batch: number;
  readonly hidden: number;
  /** [gates · hidden, input], [gates · hidden, hidden] */
  readonly w: string;
  readonly r: string;
  /** Both biases, [2 · gates · hidden]; undefined if there are none. */
  readonly bias: string | undefined;
  readonly x: string;
  /** State before each step, [steps, batch, hidden] in time order. */
  readonly before: string;
  readonly initial: (input: number) => string;
  /** Time steps in the order they are computed. */
  readonly order: readonly number[];
  /** Cotangents of the state after each step, and of the last state. */
  readonly states: readonly string[];
  readonly last: (output: number) => string | undefined;
}

/** Cotangents of one direction, without the leading axis of directions. */
interface Pulled {
  readonly x: string;
  readonly w: string;
  readonly r: string;
  readonly bias: string;
  readonly initial: readonly string[];
}

function lstm(c: GradientContext): (string | undefined)[] {
  if (c.has(7)) c.refuse('it has peepholes');
  if (intAttribute(c.node, 'input_forget', 0)) c.refuse('its gates are coupled');
  return overDirections(c, pullLstm);
}

function gru(c: GradientContext): (string | undefined)[] {
  const isAfter = intAttribute(c.node, 'linear_before_reset', 0) === 1;
  return overDirections(c, (direction) => pullGru(direction, isAfter));
}

function overDirections(c: GradientContext, pull: (direction: Direction) => Pulled): (string | undefined)[] {
  const e = c.emit;
  if (c.has(4)) c.refuse('it has sequence lengths');
  if (c.node.attributes.has('activations')) c.refuse('it names its activations');
  if (floatAttribute(c.node, 'clip') !== undefined) c.refuse('it clips');
  if (intAttribute(c.node, 'layout', 0)) c.refuse('its layout is batch first');
  const [steps, batch] = c.shape(0) as [number, number];
  const [directions, , hidden] = c.shape(2) as [number, number, number];
  const kind = stringAttribute(c.node, 'direction', 'forward');

  const pulled = range(directions).map((d) => {
    const isReverse = kind === 'reverse' || d === 1;
    const of = (input: number): string =>
      e.op('Squeeze', [e.slice(c.input(input), [0], [d], [d + 1]), e.ints([0])]);
    const initial = (input: number): string => (c.has(input) ? of(input) : e.zeros([batch, hidden]));
    const along = (value: string): string =>
      e.op('Squeeze', [e.slice(value, [1], [d], [d + 1]), e.ints([1])]);
    const first = e.reshape(initial(5), [1, batch, hidden]);
    const written = along(c.output(0));
    const before =
      steps === 1
        ? first
        : isReverse
          ? e.op('Concat', [e.slice(written, [0], [1], [steps]), first], { axis: 0 })
          : e.op('Concat', [first, e.slice(written, [0], [0], [steps - 1])], { axis: 0 });
    const last = (output: number): string | undefined =>
      c.hasGrad(output)
        ? e.op('Squeeze', [e.slice(c.grad(output), [0], [d], [d + 1]), e.ints([0])])
        : undefined;
    const order = isReverse ? range(steps).reverse() : range(steps);
    const states = c.hasGrad(0) ? perStep(e, along(c.grad(0)), steps) : [];
    const bias = c.has(3) ? of(3) : undefined;
    return pull({ e, steps, batch, hidden, w: of(1), r: of(2), bias, x: c.input(0), before, initial, order, states, last }); // prettier-ignore
  });

  const stack = (values: readonly string[]): string =>
    e.op('Concat', values.map((value) => e.op('Unsqueeze', [value, e.ints([0])])), { axis: 0 }); // prettier-ignore
  const states = (k: number): string | undefined =>
    pulled[0]!.initial[k] === undefined ? undefined : stack(pulled.map(({ initial }) => initial[k]!));
  return [
    pulled.length === 1 ? pulled[0]!.x : e.op('Sum', pulled.map(({ x }) => x)),
    stack(pulled.map(({ w }) => w)),
    stack(pulled.map(({ r }) => r)),
    c.has(3) ? stack(pulled.map(({ bias }) => bias)) : undefined,
    undefined,
    c.has(5) ? states(0) : undefined,
    c.has(6) ? states(1) : undefined,
  ]; // prettier-ignore
}

/** The steps of [steps, batch, …] as matrices. */
function perStep(e: Emitter, value: string, steps: number): string[] {
  const parts =
    steps === 1 ? [value] : e.ops('Split', [value, e.ints(range(steps).map(() => 1))], steps, { axis: 0 });
  return parts.map((part) => e.op('Squeeze', [part, e.ints([0])]));
}

function stackSteps(e: Emitter, values: readonly string[]): string {
  return e.op('Concat', values.map((value) => e.op('Unsqueeze', [value, e.ints([0])])), { axis: 0 }); // prettier-ignore
}

const transposed = (e: Emitter, matrix: string): string => e.transpose(matrix, [1, 0]);
const slope = (e: Emitter, s: string): string => e.mul(s, e.sub(e.scalar(1), s));
const tanhSlope = (e: Emitter, t: string): string => e.sub(e.scalar(1), e.mul(t, t));
const plus = (e: Emitter, a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined ? b : b === undefined ? a : e.add(a, b);

/** aᵀ · b over all steps and examples. */
function outer(e: Emitter, a: string, b: string, columns: readonly [number, number]): string {
  const flat = (value: string, width: number): string => e.reshape(value, [-1, width]);
  return e.op('Gemm', [flat(a, columns[0]), flat(b, columns[1])], { transA: 1 });
}

/** Gates i, o, f and the candidate c, in ONNX's order. */
function pullLstm(d: Direction): Pulled {
  const { e, steps, hidden, w, r, order } = d;
  const biases = d.bias && e.add(e.slice(d.bias, [0], [0], [4 * hidden]), e.slice(d.bias, [0], [4 * hidden], [8 * hidden])); // prettier-ignore
  const linear = e.add(e.op('MatMul', [d.x, transposed(e, w)]), e.op('MatMul', [d.before, transposed(e, r)]));
  const z = biases ? e.add(linear, biases) : linear;
  const gate = (k: number, op: string): string =>
    e.op(op, [e.slice(z, [2], [k * hidden], [(k + 1) * hidden])]);
  const [i, o, f, u] = [gate(0, 'Sigmoid'), gate(1, 'Sigmoid'), gate(2, 'Sigmoid'), gate(3, 'Tanh')] as const;
  const split = (value: string): string[] => perStep(e, value, steps);
  const [is, os, fs, us] = [split(i), split(o), split(f), split(u)];
  const [si, so, sf, su] = [slope(e, i), slope(e, o), slope(e, f), tanhSlope(e, u)].map(split) as [string[], string[], string[], string[]]; // prettier-ignore

  const cells = new Array<string>(steps);
  const cellBefore = new Array<string>(steps);
  let cell = d.initial(6);
  for (const t of order) {
    cellBefore[t] = cell;
    cells[t] = cell = e.add(e.mul(fs[t]!, cell), e.mul(is[t]!, us[t]!));
  }

  const dz = new Array<string>(steps);
  let dh = d.last(1);
  let dc = d.last(2);
  for (const t of [...order].reverse()) {
    const h = plus(e, dh, d.states[t]) ?? e.zeros([d.batch, hidden]);
    const tanh = e.op('Tanh', [cells[t]!]);
    const c = plus(e, dc, e.mul(e.mul(h, os[t]!), tanhSlope(e, tanh)))!;
    dz[t] = e.op(
      'Concat',
      [
        e.mul(e.mul(c, us[t]!), si[t]!),
        e.mul(e.mul(h, tanh), so[t]!),
        e.mul(e.mul(c, cellBefore[t]!), sf[t]!),
        e.mul(e.mul(c, is[t]!), su[t]!),
      ],
      { axis: 1 },
    );
    dh = e.op('MatMul', [dz[t], r]);
    dc = e.mul(c, fs[t]!);
  }
  const all = stackSteps(e, dz);
  const bias = e.sum(all, [0, 1]);
  return {
    x: e.op('MatMul', [all, w]),
    w: weightGradient(e, all, d.x, 4 * hidden),
    r: outer(e, all, d.before, [4 * hidden, hidden]),
    bias: e.op('Concat', [bias, bias], { axis: 0 }),
    initial: [dh!, dc!],
  };
}

/** The input's width is read off the matrix itself. */
function weightGradient(e: Emitter, z: string, x: string, gates: number): string {
  const flatZ = e.reshape(z, [-1, gates]);
  const flatX = e.op('Flatten', [x], { axis: 2 });
  return e.op('Gemm', [flatZ, flatX], { transA: 1 });
}

/** Gates z, r and the candidate h, in ONNX's order; `isAfter`: the reset gate acts after the product with R. */
function pullGru(d: Direction, isAfter: boolean): Pulled {
  const { e, steps, hidden: n, w, r, order } = d;
  const part = (value: string, axis: number, from: number, to: number): string =>
    e.slice(value, [axis], [from * n], [to * n]);
  const zeros = (): string => e.zeros([3 * n]);
  const wb = d.bias ? e.slice(d.bias, [0], [0], [3 * n]) : zeros();
  const rb = d.bias ? e.slice(d.bias, [0], [3 * n], [6 * n]) : zeros();
  const xw = e.add(e.op('MatMul', [d.x, transposed(e, w)]), wb);
  const [rGates, rCandidate] = [part(r, 0, 0, 2), part(r, 0, 2, 3)];
  const hGates = e.add(e.op('MatMul', [d.before, transposed(e, rGates)]), part(rb, 0, 0, 2));
  const gates = e.op('Sigmoid', [e.add(part(xw, 2, 0, 2), hGates)]);
  const [z, reset] = [part(gates, 2, 0, 1), part(gates, 2, 1, 2)];
  const resetBefore = e.mul(reset, d.before);
  const inner = e.add(
    e.op('MatMul', [isAfter ? d.before : resetBefore, transposed(e, rCandidate)]),
    part(rb, 0, 2, 3),
  );
  const candidate = e.op('Tanh', [e.add(part(xw, 2, 2, 3), isAfter ? e.mul(reset, inner) : inner)]);
  const split = (value: string): string[] => perStep(e, value, steps);
  const [zs, rs, ns, hs, qs] = [z, reset, candidate, d.before, inner].map(split) as [string[], string[], string[], string[], string[]]; // prettier-ignore

  const da = new Array<string>(steps); // of all pre-activations
  const dq = new Array<string>(steps); // of the product with the candidate's R
  let dh = d.last(1);
  for (const t of [...order].reverse()) {
    const h = plus(e, dh, d.states[t]) ?? e.zeros([d.batch, n]);
    const dn = e.mul(e.mul(h, e.sub(e.scalar(1), zs[t]!)), tanhSlope(e, ns[t]!));
    const dz = e.mul(e.mul(h, e.sub(hs[t]!, ns[t]!)), slope(e, zs[t]!));
    dq[t] = isAfter ? e.mul(dn, rs[t]!) : dn;
    const back = e.op('MatMul', [dq[t], rCandidate]);
    const dr = e.mul(isAfter ? e.mul(dn, qs[t]!) : e.mul(back, hs[t]!), slope(e, rs[t]!));
    const dGates = e.op('Concat', [dz, dr], { axis: 1 });
    da[t] = e.op('Concat', [dGates, dn], { axis: 1 });
    const direct = e.add(e.mul(h, zs[t]!), e.op('MatMul', [dGates, rGates]));
    dh = e.add(direct, isAfter ? back : e.mul(back, rs[t]!));
  }
  const all = stackSteps(e, da);
  const products = stackSteps(e, dq);
  const dGates = part(all, 2, 0, 2);
  return {
    x: e.op('MatMul', [all, w]),
    w: weightGradient(e, all, d.x, 3 * n),
    r: e.op(
      'Concat',
      [outer(e, dGates, d.before, [2 * n, n]), outer(e, products, isAfter ? d.before : resetBefore, [n, n])],
      { axis: 0 },
    ),
    bias: e.op('Concat', [e.sum(all, [0, 1]), e.sum(dGates, [0, 1]), e.sum(products, [0, 1])], { axis: 0 }),
    initial: [dh!],
  };
}
