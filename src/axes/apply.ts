import { alignOperand, isBroadcast } from './align.js';
import type { Axis, Blocker } from './axis.js';
import { product, sum, unit } from './axis.js';
import { lettersOf, type Notation, type Pattern } from './notation.js';
import { productsOf } from './products.js';
import { RelationError, type Operands, type Relation, type StatedRelation } from './relation.js';
import { solveSizes } from './sizes.js';
import type { AxisSystem } from './system.js';

/** An input's axis inside a node, seen letter by letter. */
export interface LetterUse {
  readonly input: number;
  readonly axis: number;
  readonly letter: string;
  readonly expression: Axis;
}

export interface AppliedRelation {
  readonly outputs: readonly (readonly Axis[])[];
  readonly uses: readonly LetterUse[];
  readonly outputLetters: ReadonlySet<string>;
  readonly stated: StatedRelation;
}

const noLetters: ReadonlyMap<string, Axis> = new Map();

/**
 * States a rule's relation: binds letters to input axes, unifies, and builds the output axes.
 * @throws RelationError before anything is unified, with the reason.
 */
export function applyRelation(
  system: AxisSystem,
  notation: Notation,
  relation: Relation,
  operands: Operands,
  origin: Blocker,
): AppliedRelation {
  const why = relation.why ?? `blocked by the rule of ${origin.op}`;
  const blockerAt = (side: 'input' | 'output', index: number, axis: number): Blocker => ({
    ...at(origin, side, index, axis),
    why,
  });
  const inputs = operands.inputs.map((axes, i) => axes && alignOperand(notation, 'input', i, axes.length));
  const outputs = operands.outputs.map((dims, i) => dims && alignOperand(notation, 'output', i, dims.length));
  const sizes = solveSizes(relation.sizes, operands, inputs, outputs);

  const letters = new Map<string, Axis>();
  const letterAxis = (name: string, size: number | undefined, blocker: Blocker): Axis => {
    let axis = letters.get(name);
    if (!axis) {
      if (size === undefined) throw new RelationError(`the size of '${name}' is unknown`);
      letters.set(name, (axis = size > 0 ? system.factor(size) : system.blocked(size, blocker)));
    }
    return axis;
  };
  const build = (pattern: Pattern, blocker: Blocker): Axis => {
    if (pattern.kind === 'number') return system.blocked(pattern.size, blocker);
    if (pattern.kind === 'letter') {
      const axis = letterAxis(pattern.name, sizes.get(pattern.name), blocker);
      if (pattern.blocked) system.block(axis, blocker);
      return axis;
    }
    const terms = pattern.terms.map((term) => build(term, blocker));
    return pattern.kind === 'sum' ? sum(terms) : product(terms);
  };

  // Letters that stand alone name an axis as it is; composites are unified with theirs afterwards.
  const uses: LetterUse[] = [];
  const composites: [Pattern, Axis, number, number][] = [];
  inputs.forEach((patterns, input) => {
    // An operand left alone holds shapes, bounds or indices: each entry means what its position says.
    const reading = 'its entries are sizes, bounds or indices';
    if (!patterns)
      operands.inputs[input]?.forEach((axis, i) =>
        system.block(axis, { ...at(origin, 'input', input, i), why: reading }),
      );
    patterns?.forEach((pattern, i) => {
      const axis = operands.inputs[input]![i]!;
      if (pattern.kind === 'ellipsis') system.block(axis, blockerAt('input', input, i));
      else if (pattern.kind !== 'letter') composites.push([pattern, axis, input, i]);
      else if (!(isBroadcast(pattern.name) && axis.size === 1)) {
        const bound = letters.get(pattern.name);
        if (bound) system.unify(bound, axis, at(origin, 'input', input, i));
        // Einsum broadcasts under its letters too.
        if (!bound || bound.size === 1) letters.set(pattern.name, axis);
        if (pattern.blocked) system.block(axis, blockerAt('input', input, i));
        if (axis.size !== 1) uses.push({ input, axis: i, letter: pattern.name, expression: axis });
      }
    });
  });
  for (const [pattern, axis, input, i] of composites) {
    system.unify(build(pattern, blockerAt('input', input, i)), axis, at(origin, 'input', input, i));
    for (const letter of lettersOf(pattern)) {
      const expression = letters.get(letter)!;
      if (expression.size !== 1) uses.push({ input, axis: i, letter, expression });
    }
  }
  const anywhere = { ...origin, why };
  for (const [a, b] of notation.equalities) system.unify(build(a, anywhere), build(b, anywhere), origin);

  const outputLetters = new Set<string>();
  const outputAxes = outputs.map((patterns, output) =>
    (operands.outputs[output] ?? []).map((size, i) => {
      const pattern = patterns?.[i];
      const blocker = blockerAt('output', output, i);
      if (!pattern || pattern.kind === 'ellipsis') return system.blocked(size, blocker);
      for (const letter of lettersOf(pattern)) outputLetters.add(letter);
      if (pattern.kind === 'letter' && isBroadcast(pattern.name) && !letters.has(pattern.name))
        return size === 1 ? unit : system.blocked(size, blocker);
      const axis = build(pattern, blocker);
      // An axis is never removed whole: the only position of one stays.
      if (axis.size === 1) system.block(axis, { ...blocker, why: 'it is the only position of an axis' });
      if (axis.size === size) return axis;
      const why = `the rule gives output ${output} axis ${i} the size ${axis.size}, but it is ${size}`;
      system.block(axis, { ...blocker, why });
      return system.blocked(size, { ...blocker, why });
    }),
  );
  const products =
    (relation.contraction ?? relation.multiplies) &&
    productsOf(
      relation,
      inputs.map((patterns, i) => ({ patterns, axes: operands.inputs[i] ?? [] })),
      { patterns: outputs[0], axes: outputAxes[0] ?? [] },
      letters,
    );
  // Most letters are never asked for again.
  const isAsked = relation.sizes !== undefined || relation.attention !== undefined;
  const stated = { ...relation, letters: isAsked ? letters : noLetters, products };
  return { outputs: outputAxes, uses, outputLetters, stated };
}

function at(origin: Blocker, side: 'input' | 'output', index: number, axis: number): Blocker {
  return { ...origin, axis: `${side} ${index} axis ${axis}` };
}
