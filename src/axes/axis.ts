/**
 * The algebra of axes. Every axis of every tensor has an expression for its extent: a sum
 * (concatenation) of products (row-major nesting) of factors. A factor is a variable; unifying
 * expressions binds factors to each other or to finer expressions, never the other way round.
 */

/** Why an axis can't be pruned: the first reason met. */
export interface Blocker {
  /** Name of the node, or `op#index` where it has none; a graph input or output by its name. */
  readonly node: string;
  readonly op: string;
  /** Which value and axis: `input 0 axis 2`. */
  readonly axis: string;
  readonly why: string;
}

/** A variable of the algebra. Mutable only through `AxisSystem`. */
export class Factor {
  readonly kind = 'factor';
  /** What the factor was bound to; a bound factor is only an alias. */
  link: Axis | undefined = undefined;
  /** Upper bound of the depth of the links that end here (union by rank). */
  rank = 0;

  constructor(
    readonly id: number,
    readonly size: number,
    public blocker: Blocker | undefined = undefined,
    /** Set for an atom: the one index of a factor that it stands for. */
    readonly origin: AtomOrigin | undefined = undefined,
  ) {}
}

/**
 * Where positions are permuted (a channel shuffle), factors are taken apart into atoms of size 1. Unlike `unit` an
 * atom can be removed, and it keeps its identity wherever it is moved.
 */
export interface AtomOrigin {
  readonly factor: Factor;
  readonly index: number;
}

/** Row-major nesting, outermost first; the empty product is the axis of size 1. */
export interface Product {
  readonly kind: 'product';
  readonly terms: readonly Axis[];
  readonly size: number;
}

/** Concatenation. */
export interface Sum {
  readonly kind: 'sum';
  readonly terms: readonly Axis[];
  readonly size: number;
}

/** The expression of one axis. Its size is NaN where it depends on data. */
export type Axis = Factor | Product | Sum;

/** The axis of size 1: it is related to nothing and never removed. */
export const unit: Product = { kind: 'product', terms: [], size: 1 };

export function product(terms: readonly Axis[]): Axis {
  if (terms.length === 1) return terms[0]!;
  let size = 1;
  for (const term of terms) size *= term.size;
  return { kind: 'product', terms, size };
}

export function sum(terms: readonly Axis[]): Axis {
  if (terms.length === 1) return terms[0]!;
  let size = 0;
  for (const term of terms) size += term.size;
  return { kind: 'sum', terms, size };
}
