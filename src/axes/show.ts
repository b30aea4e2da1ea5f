import type { Axis, Factor } from './axis.js';
import type { AxisSystem } from './system.js';

/** An axis in the notation of the rules, e.g. `(g3 g4)` or `(#3 + g1)`: `#` and the size for what is blocked. */
export function showAxis(
  system: AxisSystem,
  axis: Axis,
  nameOf: (factor: Factor) => string = (factor) => `f${factor.id}`,
): string {
  const e = system.head(axis);
  if (e.kind === 'factor') return e.blocker ? `#${e.size}` : nameOf(e);
  if (e.terms.length === 0) return String(e.size);
  const inner = e.terms.map((term) => showAxis(system, term, nameOf));
  // A product inside a sum needs no parentheses of its own.
  if (e.kind === 'sum')
    return `(${inner.map((s, i) => (isProduct(e.terms[i]!) ? s.slice(1, -1) : s)).join(' + ')})`;
  return `(${inner.join(' ')})`;
}

function isProduct(axis: Axis): boolean {
  return axis.kind === 'product' && axis.terms.length > 0;
}
