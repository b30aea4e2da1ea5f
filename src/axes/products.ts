import { isBroadcast, type Aligned } from './align.js';
import { Factor, product, sum, type Axis } from './axis.js';
import { lettersOf, parseAxes, type Pattern } from './notation.js';
import type { MultiplyAdds, Relation } from './relation.js';

/** An operand with the axes that its patterns stand for. */
interface Operand {
  readonly patterns: Aligned;
  readonly axes: readonly Axis[];
}

/**
 * The multiply-adds of a node: a sum of products of sizes, one list of axes for each product. Undefined for a node
 * that multiplies nothing.
 */
export function productsOf(
  relation: Relation,
  inputs: readonly Operand[],
  output: Operand,
  letters: ReadonlyMap<string, Axis>,
): readonly (readonly Axis[])[] | undefined {
  const { contraction, multiplies, scatters = false } = relation;
  if (multiplies) return multiplies.terms.map((term) => listedAxes(term, letters));
  if (!contraction) return undefined;
  const factors = contraction.map((input) => inputs[input]!);
  return [combinations(scatters ? factors[0]! : output, factors, letters)];
}

/** The inputs that are multiplied. */
export function multipliedInputs({ multiplies, contraction }: Relation): readonly number[] {
  return multiplies?.inputs ?? contraction ?? [];
}

/** An expression of letters as an axis. */
export function expressionAxis(pattern: Pattern, letters: ReadonlyMap<string, Axis>): Axis {
  if (pattern.kind === 'number') return fixedAxis(pattern.size);
  // Nothing binds the letters of an output whose shape is unknown.
  if (pattern.kind === 'letter') return letters.get(pattern.name) ?? fixedAxis(NaN);
  const terms = pattern.terms.map((term) => expressionAxis(term, letters));
  return pattern.kind === 'sum' ? sum(terms) : product(terms);
}

/**
 * One multiply-add for each combination of a contraction's letters: the positions of `base` times what the factors
 * sum over. Axes under `#…` have no letters: of all factors but the first they are a kernel, met at each position.
 */
function combinations(
  base: Operand,
  factors: readonly Operand[],
  letters: ReadonlyMap<string, Axis>,
): readonly Axis[] {
  const axes = [...base.axes];
  const seen = new Set(
    base.patterns?.flatMap((pattern) => (pattern.kind === 'ellipsis' ? [] : lettersOf(pattern))),
  );
  factors.forEach((factor, k) =>
    factor.patterns?.forEach((pattern, i) => {
      if (pattern.kind === 'ellipsis' || pattern.kind === 'number') {
        if (k > 0) axes.push(factor.axes[i]!);
        return;
      }
      for (const letter of lettersOf(pattern)) {
        const axis = letters.get(letter);
        if (axis && !seen.has(letter)) axes.push(axis);
        seen.add(letter);
      }
    }),
  );
  return axes;
}

function listedAxes(
  term: MultiplyAdds['terms'][number],
  letters: ReadonlyMap<string, Axis>,
): readonly Axis[] {
  return parseAxes(term).flatMap((pattern) =>
    pattern.kind === 'ellipsis'
      ? [...letters].flatMap(([letter, axis]) => (isBroadcast(letter) ? [axis] : []))
      : [expressionAxis(pattern, letters)],
  );
}

/** An axis that takes part in no relation. */
function fixedAxis(size: number): Axis {
  return new Factor(-1, size, { node: '', op: '', axis: '', why: 'nothing relates it' });
}
