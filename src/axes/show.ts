import type { Axis, Factor } from './axis.js';
import type { AxisSystem } from './system.js';

/** An axis in the notation of the rules, e.g. `(g3 g4)` or `(#3 + g1)`: `#` and the size for what is blocked. */
export function showAxis(
  system: AxisSystem,
  axis: Axis,
  nameOf: (factor: Factor) => string = (factor) => `f${factor.id}`,
): string {
  const e = system.head(axis);
  if (e.kind === 'factor') return e.blocker ? `#${e.size}` : nameOf(e.origin?.factor ?? e);
  if (e.terms.length === 0) return String(e.size);
  if (e.kind === 'sum' && e.terms.some(isAtom)) return showPositions(system, e.terms, nameOf);
  const inner = e.terms.map((term) => showAxis(system, term, nameOf));
  // A product inside a sum needs no parentheses of its own.
  if (e.kind === 'sum')
    return `(${inner.map((s, i) => (isProduct(e.terms[i]!) ? s.slice(1, -1) : s)).join(' + ')})`;
  return `(${inner.join(' ')})`;
}

function isProduct(axis: Axis): boolean {
  return axis.kind === 'product' && axis.terms.length > 0;
}

const isAtom = (axis: Axis): boolean => axis.kind === 'factor' && axis.origin !== undefined;

/** Runs of single positions as `{58 of g1 g2}`, in whatever order they stand. */
function showPositions(
  system: AxisSystem,
  terms: readonly Axis[],
  nameOf: (factor: Factor) => string,
): string {
  const shown: string[] = [];
  let run: Factor[] = [];
  const flush = (): void => {
    const names = new Set(run.map((atom) => nameOf(atom.origin!.factor)));
    if (run.length > 0) shown.push(`{${run.length} of ${[...names].sort().join(' ')}}`);
    run = [];
  };
  for (const term of terms) {
    if (isAtom(term)) run.push(term as Factor);
    else {
      flush();
      shown.push(showAxis(system, term, nameOf));
    }
  }
  flush();
  return shown.length === 1 ? shown[0]! : `(${shown.join(' + ')})`;
}
