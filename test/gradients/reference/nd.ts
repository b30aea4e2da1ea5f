/** Tensors of doubles, and the random cases that gradient rules are tried on. Plain loops: this is the reference. */
import { randomGenerator, type RandomGenerator } from '../../../src/random/random.js';

export interface Nd {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

export type Attributes = Readonly<
  Record<
    string,
    number | readonly number[] | string | { readonly float: number } | { readonly floats: readonly number[] }
  >
>;

/** One op with random inputs, and what it computes. */
export interface Case {
  /** Differentiable inputs, in the place of `undefined` of `inputs` where that is given. */
  readonly inputs: readonly Nd[];
  /** Position of each differentiable input; default 0, 1, … */
  readonly places?: readonly number[];
  /** Integer inputs by position: constants of the model. */
  readonly integers?: Readonly<
    Record<number, { readonly dims: readonly number[]; readonly data: readonly number[] }>
  >;
  /** Boolean inputs by position. */
  readonly booleans?: Readonly<
    Record<number, { readonly dims: readonly number[]; readonly data: readonly number[] }>
  >;
  readonly attributes?: Attributes;
  readonly opset?: number;
  /** Number of outputs that count; default 1. Absent ones are skipped in the model. */
  readonly outputs?: readonly number[];
  /** The outputs listed in `outputs`. */
  readonly forward: (inputs: readonly Nd[]) => readonly Nd[];
}

export type MakeCase = (draw: Draw) => Case;
export type Cases = Readonly<Record<string, readonly MakeCase[]>>;

export function nd(dims: readonly number[], fill: (index: number) => number = () => 0): Nd {
  const data = new Float64Array(count(dims));
  for (let i = 0; i < data.length; i++) data[i] = fill(i);
  return { dims, data };
}

export const count = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** Random sizes and values; values are at least 0.05 apart from `gaps`, so that no kink lies within a step. */
export class Draw {
  private readonly next: RandomGenerator;

  constructor(seed: number | string) {
    this.next = randomGenerator(seed);
  }

  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)]!;
  }

  dims(rank: number, low = 1, high = 4): number[] {
    return Array.from({ length: rank }, () => this.int(low, high));
  }

  /** Uniform in [low, high]. */
  uniform(dims: readonly number[], low = -2, high = 2, gaps: readonly number[] = [0]): Nd {
    return nd(dims, () => {
      for (;;) {
        const value = Math.fround(low + this.next() * (high - low));
        if (gaps.every((gap) => Math.abs(value - gap) > 0.05)) return value;
      }
    });
  }

  /** Distinct values, far enough apart that none overtakes another. */
  distinct(dims: readonly number[]): Nd {
    const n = count(dims);
    const order = this.permutation(n);
    return nd(dims, (i) => Math.fround((4 * (order[i]! + 0.5)) / n - 2));
  }

  permutation(n: number): number[] {
    const out = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const k = this.int(0, i);
      [out[i], out[k]] = [out[k]!, out[i]!];
    }
    return out;
  }
}

/** Coordinates of a flat index. */
export function coordinates(flat: number, dims: readonly number[]): number[] {
  const out = new Array<number>(dims.length);
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    out[axis] = flat % dims[axis]!;
    flat = Math.floor(flat / dims[axis]!);
  }
  return out;
}

export function flat(at: readonly number[], dims: readonly number[]): number {
  return at.reduce((sum, c, axis) => sum * dims[axis]! + c, 0);
}

/** An output whose elements are single elements of an input. */
export function picked(dims: readonly number[], x: Nd, source: (at: number[]) => readonly number[]): Nd {
  return nd(dims, (i) => x.data[flat(source(coordinates(i, dims)), x.dims)]!);
}

/** Elementwise with broadcasting. */
export function broadcast(inputs: readonly Nd[], f: (...values: number[]) => number): Nd {
  const rank = Math.max(...inputs.map(({ dims }) => dims.length));
  const dims = Array.from({ length: rank }, (_, axis) =>
    Math.max(...inputs.map((x) => x.dims[axis - rank + x.dims.length] ?? 1)),
  );
  return nd(dims, (i) => {
    const at = coordinates(i, dims);
    return f(
      ...inputs.map((x) => {
        const own = at.slice(rank - x.dims.length).map((c, axis) => (x.dims[axis] === 1 ? 0 : c));
        return x.data[flat(own, x.dims)]!;
      }),
    );
  });
}

/** Reduces axes, which stay as size 1. */
export function reduced(x: Nd, axes: readonly number[], f: (values: number[]) => number): Nd {
  const dims = x.dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const lists: number[][] = Array.from({ length: count(dims) }, () => []);
  x.data.forEach((value, i) => {
    const at = coordinates(i, x.dims).map((c, axis) => (axes.includes(axis) ? 0 : c));
    lists[flat(at, dims)]!.push(value);
  });
  return nd(dims, (i) => f(lists[i]!));
}

export const reshaped = (x: Nd, dims: readonly number[]): Nd => ({ dims, data: x.data });
