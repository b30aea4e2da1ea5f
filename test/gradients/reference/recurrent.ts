import { nd, type Cases, type Draw, type MakeCase, type Nd } from './nd.js';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

interface Sizes {
  readonly steps: number;
  readonly batch: number;
  readonly input: number;
  readonly hidden: number;
  readonly directions: number;
}

type Step = (
  x: number[],
  state: number[][],
  w: number[][],
  r: number[][],
  wb: number[],
  rb: number[],
) => number[][];

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, v, i) => sum + v * b[i]!, 0);

/** Runs a cell over time, example by example; states are [h] or [h, c]. */
function run(inputs: readonly Nd[], s: Sizes, gates: number, kind: string, states: number, step: Step): Nd[] {
  const [x, w, r, b, h0, c0] = inputs;
  const rows = (m: Nd, d: number, width: number): number[][] =>
    Array.from({ length: gates * s.hidden }, (_, i) => {
      const from = (d * gates * s.hidden + i) * width;
      return [...m.data.slice(from, from + width)];
    });
  const y = nd([s.steps, s.directions, s.batch, s.hidden]);
  const finals = Array.from({ length: states }, () => nd([s.directions, s.batch, s.hidden]));
  for (let d = 0; d < s.directions; d++) {
    const isReverse = kind === 'reverse' || d === 1;
    const [wd, rd] = [rows(w!, d, s.input), rows(r!, d, s.hidden)];
    const width = gates * s.hidden;
    const bias = (k: number): number[] => [...b!.data.slice((2 * d + k) * width, (2 * d + k + 1) * width)];
    for (let n = 0; n < s.batch; n++) {
      const at = (d * s.batch + n) * s.hidden;
      let state = [h0!, c0].slice(0, states).map((m) => [...m!.data.slice(at, at + s.hidden)]);
      for (let k = 0; k < s.steps; k++) {
        const t = isReverse ? s.steps - 1 - k : k;
        const from = (t * s.batch + n) * s.input;
        state = step([...x!.data.slice(from, from + s.input)], state, wd, rd, bias(0), bias(1));
        y.data.set(state[0]!, ((t * s.directions + d) * s.batch + n) * s.hidden);
      }
      state.forEach((values, k) => finals[k]!.data.set(values, at));
    }
  }
  return [y, ...finals];
}

const lstmStep: Step = (x, [h, c], w, r, wb, rb) => {
  const n = h!.length;
  const z = w.map((row, i) => dot(row, x) + dot(r[i]!, h!) + wb[i]! + rb[i]!);
  const cell = c!.map(
    (value, k) => sigmoid(z[2 * n + k]!) * value + sigmoid(z[k]!) * Math.tanh(z[3 * n + k]!),
  );
  return [cell.map((value, k) => sigmoid(z[n + k]!) * Math.tanh(value)), cell];
};

const gruStep =
  (isAfter: boolean): Step =>
  (x, [h], w, r, wb, rb) => {
    const n = h!.length;
    const linear = (i: number): number => dot(w[i]!, x) + wb[i]!;
    const z = h!.map((_, k) => sigmoid(linear(k) + dot(r[k]!, h!) + rb[k]!));
    const reset = h!.map((_, k) => sigmoid(linear(n + k) + dot(r[n + k]!, h!) + rb[n + k]!));
    const held = h!.map((value, k) => value * reset[k]!);
    return [
      h!.map((value, k) => {
        const i = 2 * n + k;
        const inner = isAfter ? reset[k]! * (dot(r[i]!, h!) + rb[i]!) : dot(r[i]!, held) + rb[i]!;
        return (1 - z[k]!) * Math.tanh(linear(i) + inner) + z[k]! * value;
      }),
    ];
  };

function drawSizes(draw: Draw, kind: string): Sizes {
  const [steps, batch, input, hidden] = draw.dims(4, 1, 3) as [number, number, number, number];
  return { steps, batch, input, hidden, directions: kind === 'bidirectional' ? 2 : 1 };
}

const cell =
  (gates: number, states: number, step: Step, attributes: Readonly<Record<string, number>> = {}): MakeCase =>
  (draw) => {
    const kind = draw.pick(['forward', 'reverse', 'bidirectional']);
    const s = drawSizes(draw, kind);
    const d = s.directions;
    const state = [d, s.batch, s.hidden];
    const shapes = [
      [s.steps, s.batch, s.input], [d, gates * s.hidden, s.input], [d, gates * s.hidden, s.hidden],
      [d, 2 * gates * s.hidden], state, ...(states > 1 ? [state] : []),
    ]; // prettier-ignore
    const all = [0, 1, 2].slice(0, states + 1);
    // Often only the last state is read, and the op's first output has no name.
    const outputs = draw.pick([all, [0], all.slice(1)]);
    return {
      inputs: shapes.map((dims) => draw.uniform(dims, -1, 1, [])),
      places: [0, 1, 2, 3, 5, 6].slice(0, shapes.length),
      attributes: { hidden_size: s.hidden, direction: kind, ...attributes },
      outputs,
      forward: (inputs) => {
        const results = run(inputs, s, gates, kind, states, step);
        return outputs.map((output) => results[output]!);
      },
    };
  };

export const recurrent: Cases = {
  LSTM: [cell(4, 2, lstmStep)],
  GRU: [
    cell(3, 1, gruStep(false), { linear_before_reset: 0 }),
    cell(3, 1, gruStep(true), { linear_before_reset: 1 }),
  ],
};
