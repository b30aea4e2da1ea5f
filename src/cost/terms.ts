import type { Axis, Factor } from '../axes/axis.js';
import type { AxisSystem } from '../axes/system.js';
import { polynomialKey, polynomialOf, type Monomial } from './polynomial.js';

/**
 * Polynomials in flat arrays. `extents` are the distinct axis extents (sums of monomials over variables);
 * a table of terms adds up `coefficient · Π extents`. A candidate plan is priced by one pass over each.
 */
export class ExtentTable {
  private readonly byAxis = new Map<Axis, number>();
  private readonly polynomials = new Map<Axis, readonly Monomial[]>();
  private readonly byKey = new Map<string, number>();
  private readonly starts: number[] = [0];
  private readonly coefficients: number[] = [];
  private readonly variableStarts: number[] = [0];
  private readonly variableIndices: number[] = [];
  private flat: FlatExtents | undefined;

  constructor(
    private readonly system: AxisSystem,
    /** Index of each variable. */
    private readonly variables: ReadonlyMap<Factor, number>,
  ) {}

  /** The number of an axis's extent; equal extents share one. */
  extent(axis: Axis): number {
    let id = this.byAxis.get(axis);
    if (id === undefined) this.byAxis.set(axis, (id = this.add(axis)));
    return id;
  }

  /** The extent of an axis, multiplied out once. */
  polynomial(axis: Axis): readonly Monomial[] {
    let polynomial = this.polynomials.get(axis);
    if (!polynomial) {
      polynomial = polynomialOf(this.system, axis, (factor) => this.variables.has(factor));
      this.polynomials.set(axis, polynomial);
    }
    return polynomial;
  }

  /** Values of all extents where variable `v` has the size `counts[v]`. */
  evaluate(counts: Float64Array): Float64Array {
    this.flat ??= this.flatten();
    const { starts, coefficients, variableStarts, variableIndices } = this.flat;
    const out = new Float64Array(starts.length - 1);
    for (let extent = 0; extent < out.length; extent++) {
      let total = 0;
      for (let m = starts[extent]!; m < starts[extent + 1]!; m++) {
        let value = coefficients[m]!;
        for (let v = variableStarts[m]!; v < variableStarts[m + 1]!; v++)
          value *= counts[variableIndices[v]!]!;
        total += value;
      }
      out[extent] = total;
    }
    return out;
  }

  private add(axis: Axis): number {
    const polynomial = this.polynomial(axis);
    const key = polynomialKey(polynomial);
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    for (const { coefficient, variables } of polynomial) {
      this.coefficients.push(coefficient);
      for (const factor of variables) this.variableIndices.push(this.variables.get(factor)!);
      this.variableStarts.push(this.variableIndices.length);
    }
    this.starts.push(this.coefficients.length);
    this.flat = undefined;
    this.byKey.set(key, this.starts.length - 2);
    return this.starts.length - 2;
  }

  private flatten(): FlatExtents {
    return {
      starts: Int32Array.from(this.starts),
      coefficients: Float64Array.from(this.coefficients),
      variableStarts: Int32Array.from(this.variableStarts),
      variableIndices: Int32Array.from(this.variableIndices),
    };
  }
}

interface FlatExtents {
  readonly starts: Int32Array;
  readonly coefficients: Float64Array;
  readonly variableStarts: Int32Array;
  readonly variableIndices: Int32Array;
}

/** A sum of products of extents, each term belonging to a node. */
export class TermTable {
  private readonly nodes: number[] = [];
  private readonly coefficients: number[] = [];
  private readonly starts: number[] = [0];
  private readonly factors: number[] = [];

  constructor(private readonly extents: ExtentTable) {}

  add(node: number, coefficient: number, axes: readonly Axis[]): void {
    this.nodes.push(node);
    this.coefficients.push(coefficient);
    for (const axis of axes) if (axis.size !== 1) this.factors.push(this.extents.extent(axis));
    this.starts.push(this.factors.length);
  }

  total(extents: Float64Array): number {
    let total = 0;
    for (let term = 0; term < this.nodes.length; term++) total += this.value(term, extents);
    return total;
  }

  /** Adds each term to `out[node]`. */
  addByNode(extents: Float64Array, out: Float64Array): void {
    for (let term = 0; term < this.nodes.length; term++) out[this.nodes[term]!]! += this.value(term, extents);
  }

  private value(term: number, extents: Float64Array): number {
    let value = this.coefficients[term]!;
    for (let k = this.starts[term]!; k < this.starts[term + 1]!; k++) value *= extents[this.factors[k]!]!;
    return value;
  }
}
