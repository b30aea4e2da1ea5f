import type { Axis, Factor } from '../axes/axis.js';
import type { AxisSystem } from '../axes/system.js';

/** A constant times a product of factor sizes. */
export interface Monomial {
  readonly coefficient: number;
  /** In order of id; a factor stands as often as its power. */
  readonly variables: readonly Factor[];
}

/**
 * The extent of an axis as a polynomial in the sizes of the factors for which `isVariable` holds; all other factors
 * are constants. Sums are multiplied out and equal monomials merged: `(h + h + h + h)` gives `4·h`. The variables of
 * one monomial are exactly the factors that are nested in each other on a stretch of the axis.
 * A factor whose size depends on data (NaN) counts as 1.
 */
export function polynomialOf(
  system: AxisSystem,
  axis: Axis,
  isVariable: (factor: Factor) => boolean,
): readonly Monomial[] {
  const out: { coefficient: number; variables: readonly Factor[] }[] = [];
  // Nearly all monomials are constants or one factor: those need no key made of text.
  const known = new Map<Factor | string, number>();
  for (const { coefficient, variables } of expand(system, axis, isVariable)) {
    if (coefficient === 0) continue;
    const sorted = variables.length > 1 ? [...variables].sort((a, b) => a.id - b.id) : variables;
    const key = sorted.length === 1 ? sorted[0]! : sorted.map(({ id }) => id).join();
    const at = known.get(key);
    if (at !== undefined) out[at]!.coefficient += coefficient;
    else {
      known.set(key, out.length);
      out.push({ coefficient, variables: sorted });
    }
  }
  return out;
}

/** Recursion is safe: every level of nesting in a normal form at least halves the size. */
function expand(system: AxisSystem, axis: Axis, isVariable: (factor: Factor) => boolean): Monomial[] {
  const e = system.head(axis);
  if (e.kind === 'factor') {
    if (isVariable(e)) return [{ coefficient: 1, variables: [e] }];
    return [{ coefficient: Number.isNaN(e.size) ? 1 : e.size, variables: [] }];
  }
  if (e.kind === 'sum') return e.terms.flatMap((term) => expand(system, term, isVariable));
  return e.terms.reduce<Monomial[]>(
    (outer, term) => {
      const inner = expand(system, term, isVariable);
      return outer.flatMap((a) =>
        inner.map((b) => ({
          coefficient: a.coefficient * b.coefficient,
          variables: [...a.variables, ...b.variables],
        })),
      );
    },
    [{ coefficient: 1, variables: [] }],
  );
}

/** Text that is the same for polynomials that were built alike. */
export function polynomialKey(polynomial: readonly Monomial[]): string {
  let key = '';
  for (const { coefficient, variables } of polynomial) {
    key += `+${coefficient}`;
    for (const { id } of variables) key += `*${id}`;
  }
  return key;
}

/** The polynomial's value where a factor has `count(factor)` indices. */
export function evaluate(polynomial: readonly Monomial[], count: (factor: Factor) => number): number {
  let total = 0;
  for (const { coefficient, variables } of polynomial) {
    let value = coefficient;
    for (const factor of variables) value *= count(factor);
    total += value;
  }
  return total;
}
