import { floatAttribute, intAttribute, stringAttribute } from '../../onnx/attributes.js';
import type { Emitter } from '../emitter.js';
import { range, type GradientContext, type GradientRules } from '../rule.js';

/**
 * Unrolled over time: the gates of all steps are recomputed at once from the states that the op wrote, and so is all by
 * which cotangents are multiplied on their way back. A step then takes a few nodes, of matrices [batch, …]; what is said
 * of all steps are matrices [steps · batch, …].
 */
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
  /** Inputs, and the states before each step in time order. */
  readonly x: string;
  readonly before: string;
  readonly initial: (input: number) => string;
  /** Time steps in the order they are computed. */
  readonly order: readonly number[];
  /** Cotangents of the state after each step where there are any, and of the last state. */
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

  const x = flat(e, c.input(0), c.shape(0)[2]!);
  const pulled = range(directions).map((d) => {
    const isReverse = kind === 'reverse' || d === 1;
    const of = (input: number): string =>
      e.op('Squeeze', [e.slice(c.input(input), [0], [d], [d + 1]), e.ints([0])]);
    const initial = (input: number): string => (c.has(input) ? of(input) : e.zeros([batch, hidden]));
    const along = (value: string): string =>
      flat(e, directions === 1 ? value : e.slice(value, [1], [d], [d + 1]), hidden);
    const first = initial(5);
    const written = along(c.output(0));
    const rest = steps - 1;
    const before =
      steps === 1
        ? first
        : isReverse
          ? e.op('Concat', [e.slice(written, [0], [batch], [steps * batch]), first], { axis: 0 })
          : e.op('Concat', [first, e.slice(written, [0], [0], [rest * batch])], { axis: 0 });
    const last = (output: number): string | undefined =>
      c.hasGrad(output)
        ? e.op('Squeeze', [e.slice(c.grad(output), [0], [d], [d + 1]), e.ints([0])])
        : undefined;
    const order = isReverse ? range(steps).reverse() : range(steps);
    const states = c.hasGrad(0) ? perStep({ e, steps, batch }, along(c.grad(0))) : [];
    const bias = c.has(3) ? of(3) : undefined;
    return pull({
      e,
      steps,
      batch,
      hidden,
      w: of(1),
      r: of(2),
      bias,
      x,
      before,
      initial,
      order,
      states,
      last,
    });
  });

  const stack = (values: readonly string[]): string =>
    e.op('Concat', values.map((value) => e.op('Unsqueeze', [value, e.ints([0])])), { axis: 0 }); // prettier-ignore
  const states = (k: number): string | undefined =>
    pulled[0]!.initial[k] === undefined ? undefined : stack(pulled.map(({ initial }) => initial[k]!));
  return [
    e.reshape(pulled.length === 1 ? pulled[0]!.x : e.op('Sum', pulled.map((own) => own.x)), c.shape(0)),
    stack(pulled.map(({ w }) => w)),
    stack(pulled.map(({ r }) => r)),
    c.has(3) ? stack(pulled.map(({ bias }) => bias)) : undefined,
    undefined,
    c.has(5) ? states(0) : undefined,
    c.has(6) ? states(1) : undefined,
  ]; // prettier-ignore
}

const flat = (e: Emitter, value: string, width: number): string => e.reshape(value, [-1, width]);

/** The matrix of each step. */
function perStep({ e, steps, batch }: Pick<Direction, 'e' | 'steps' | 'batch'>, value: string): string[] {
  if (steps === 1) return [value];
  return e.ops('Split', [value, e.ints(range(steps).map(() => batch))], steps, { axis: 0 });
}

const joined = (e: Emitter, values: readonly string[], axis: number): string =>
  values.length === 1 ? values[0]! : e.op('Concat', values, { axis });
const slope = (e: Emitter, s: string): string => e.mul(s, e.sub(e.scalar(1), s));
const tanhSlope = (e: Emitter, t: string): string => e.sub(e.scalar(1), e.mul(t, t));
const plus = (e: Emitter, a: string | undefined, b: string | undefined): string | undefined =>
  a === undefined ? b : b === undefined ? a : e.add(a, b);

/** value · matrix, and what is added to it if there is anything: one node. */
const times = (e: Emitter, value: string, matrix: string, added: string | undefined): string =>
  e.op('Gemm', added === undefined ? [value, matrix] : [value, matrix, added]);

/** value · matrixᵀ + added */
const linear = (e: Emitter, value: string, matrix: string, added: string | undefined): string =>
  e.op('Gemm', added === undefined ? [value, matrix] : [value, matrix, added], { transB: 1 });

/** aᵀ · b: a sum over all steps and examples. */
const outer = (e: Emitter, a: string, b: string): string => e.op('Gemm', [a, b], { transA: 1 });

/** Gates i, o, f and the candidate u, in ONNX's order. */
function pullLstm(d: Direction): Pulled {
  const { e, steps, hidden, w, r, order } = d;
  const biases = d.bias && e.add(e.slice(d.bias, [0], [0], [4 * hidden]), e.slice(d.bias, [0], [4 * hidden], [8 * hidden])); // prettier-ignore
  const z = linear(e, d.before, r, linear(e, d.x, w, biases));
  const gate = (k: number, op: string): string =>
    e.op(op, [e.slice(z, [1], [k * hidden], [(k + 1) * hidden])]);
  const [i, o, f, u] = [gate(0, 'Sigmoid'), gate(1, 'Sigmoid'), gate(2, 'Sigmoid'), gate(3, 'Tanh')] as const;

  const [forget, gained] = [perStep(d, f), perStep(d, e.mul(i, u))];
  const cells = new Array<string>(steps);
  const cellsBefore = new Array<string>(steps);
  let cell = d.initial(6);
  for (const t of order) {
    cellsBefore[t] = cell;
    cells[t] = cell = e.add(e.mul(forget[t]!, cell), gained[t]!);
  }
  const tanh = e.op('Tanh', [joined(e, cells, 0)]);
  const toCell = perStep(d, e.mul(o, tanhSlope(e, tanh)));
  const parts = [
    e.mul(u, slope(e, i)),
    e.mul(tanh, slope(e, o)),
    e.mul(joined(e, cellsBefore, 0), slope(e, f)),
    e.mul(i, tanhSlope(e, u)),
  ];
  const toGates = perStep(d, joined(e, parts, 1));

  const dz = new Array<string>(steps);
  const back = [...order].reverse();
  let dh = plus(e, d.last(1), d.states[back[0]!]) ?? e.zeros([d.batch, hidden]);
  let dc = d.last(2);
  back.forEach((t, k) => {
    const c = plus(e, dc, e.mul(dh, toCell[t]!))!;
    dz[t] = e.mul(e.op('Concat', [c, dh, c, c], { axis: 1 }), toGates[t]!);
    dh = times(e, dz[t], r, d.states[back[k + 1] ?? -1]);
    dc = e.mul(c, forget[t]!);
  });
  const all = joined(e, dz, 0);
  const bias = e.sum(all, [0]);
  return {
    x: e.op('MatMul', [all, w]),
    w: outer(e, all, d.x),
    r: outer(e, all, d.before),
    bias: e.op('Concat', [bias, bias], { axis: 0 }),
    initial: [dh, dc!],
  };
}

/** Gates z, r and the candidate h, in ONNX's order; `isAfter`: the reset gate acts after the product with R. */
function pullGru(d: Direction, isAfter: boolean): Pulled {
  const { e, hidden: n, w, r } = d;
  const part = (value: string, axis: number, from: number, to: number): string =>
    e.slice(value, [axis], [from * n], [to * n]);
  const bias = (from: number, to: number): string | undefined => d.bias && part(d.bias, 0, from, to);
  const xw = linear(e, d.x, w, bias(0, 3));
  const [rGates, rCandidate] = [part(r, 0, 0, 2), part(r, 0, 2, 3)];
  const hGates = linear(e, d.before, rGates, bias(3, 5));
  const gates = e.op('Sigmoid', [e.add(part(xw, 1, 0, 2), hGates)]);
  const [z, reset] = [part(gates, 1, 0, 1), part(gates, 1, 1, 2)];
  const held = isAfter ? d.before : e.mul(reset, d.before);
  const inner = linear(e, held, rCandidate, bias(5, 6));
  const candidate = e.op('Tanh', [e.add(part(xw, 1, 2, 3), isAfter ? e.mul(reset, inner) : inner)]);
  const toCandidate = e.mul(e.sub(e.scalar(1), z), tanhSlope(e, candidate));
  const toUpdate = e.mul(e.sub(d.before, candidate), slope(e, z));
  const factors: Factors = { z, reset, toCandidate, toUpdate, rGates, rCandidate };

  const pulled = isAfter ? throughAfter(d, inner, factors) : throughBefore(d, factors);
  const { update, candidates, products } = pulled;
  const all = joined(e, [update, candidates], 1);
  const [dGates, dProducts] = [e.sum(update, [0]), e.sum(products, [0])];
  return {
    x: e.op('MatMul', [all, w]),
    w: outer(e, all, d.x),
    r: joined(e, [outer(e, update, d.before), outer(e, products, held)], 0),
    bias: joined(e, [e.sum(all, [0]), dGates, dProducts], 0),
    initial: [pulled.initial],
  };
}

/** What cotangents of a GRU's states are multiplied by. */
interface Factors {
  readonly z: string;
  readonly reset: string;
  readonly toCandidate: string;
  readonly toUpdate: string;
  readonly rGates: string;
  readonly rCandidate: string;
}

/** Cotangents of the pre-activations of both gates, of the candidate's, and of its product with R. */
interface PulledGates {
  readonly update: string;
  readonly candidates: string;
  readonly products: string;
  readonly initial: string;
}

/** The last state's cotangent, then the one before each step as `step` gives it. */
function backwards(d: Direction, step: (h: string, t: number) => string): string {
  const back = [...d.order].reverse();
  let h = plus(d.e, d.last(1), d.states[back[0]!]) ?? d.e.zeros([d.batch, d.hidden]);
  back.forEach((t, k) => {
    h = plus(d.e, step(h, t), d.states[back[k + 1] ?? -1])!;
  });
  return h;
}

/** The reset gate acts on the product: everything flows through one product with R. */
function throughAfter(d: Direction, inner: string, f: Factors): PulledGates {
  const { e, hidden, r } = d;
  const toReset = e.mul(f.toCandidate, e.mul(inner, slope(e, f.reset)));
  const factors = perStep(d, joined(e, [f.toUpdate, toReset, e.mul(f.toCandidate, f.reset)], 1));
  const zs = perStep(d, f.z);
  const [states, through] = [new Array<string>(d.steps), new Array<string>(d.steps)];
  const initial = backwards(d, (h, t) => {
    states[t] = h;
    through[t] = e.mul(e.op('Concat', [h, h, h], { axis: 1 }), factors[t]!);
    return times(e, through[t], r, e.mul(h, zs[t]!));
  });
  const all = joined(e, through, 0);
  return {
    update: e.slice(all, [1], [0], [2 * hidden]),
    candidates: e.mul(joined(e, states, 0), f.toCandidate),
    products: e.slice(all, [1], [2 * hidden], [3 * hidden]),
    initial,
  };
}

/** The reset gate acts on the state: first through the candidate's product, then through the gates'. */
function throughBefore(d: Direction, f: Factors): PulledGates {
  const { e } = d;
  const toReset = e.mul(d.before, slope(e, f.reset));
  const gates = perStep(d, joined(e, [f.toUpdate, toReset], 1));
  const [zs, resets, toCandidate] = [perStep(d, f.z), perStep(d, f.reset), perStep(d, f.toCandidate)];
  const [candidates, update] = [new Array<string>(d.steps), new Array<string>(d.steps)];
  const initial = backwards(d, (h, t) => {
    candidates[t] = e.mul(h, toCandidate[t]!);
    const held = e.op('MatMul', [candidates[t], f.rCandidate]);
    update[t] = e.mul(e.op('Concat', [h, held], { axis: 1 }), gates[t]!);
    return e.add(times(e, update[t], f.rGates, e.mul(h, zs[t]!)), e.mul(held, resets[t]!));
  });
  const products = joined(e, candidates, 0);
  return { update: joined(e, update, 0), candidates: products, products, initial };
}
