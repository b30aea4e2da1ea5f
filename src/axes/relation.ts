import type { Axis, Blocker } from './axis.js';
import { product, sum, unit } from './axis.js';
import type { Ellipsis, Notation, Pattern } from './notation.js';
import type { AxisSystem } from './system.js';

/**
 * How a tensor axis takes part in an op. Criteria ask for roles, never for ops.
 * `produce` output axis of a weight · `contract` summed away · `batch` carried along by both sides of
 * a contraction · `scale`, `shift`, `mean`, `variance` per-channel parameters · `normalize` statistics
 * are taken over it · `pass` anything else.
 */
export type Role =
  'produce' | 'contract' | 'batch' | 'scale' | 'shift' | 'mean' | 'variance' | 'normalize' | 'pass';

/** What a rule says of one node. */
export interface Relation {
  readonly notation: string;
  /** Sizes of letters that no single axis tells. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** The inputs whose product is summed over the letters that the outputs lack; other inputs are added. */
  readonly contraction?: readonly number[];
  /** Letters of input 0 that the op takes statistics over. */
  readonly normalize?: readonly string[];
  /** Letters of input 0 that the op sums over. */
  readonly sums?: readonly string[];
  /** Letters of the products of activations inside an attention op. */
  readonly attention?: AttentionLetters;
  /** Roles by input, for all of its axes or axis by axis; contractions derive theirs. */
  readonly roles?: readonly (Role | undefined | readonly (Role | undefined)[])[];
  /** Why the axes marked `#` are blocked. */
  readonly why?: string;
}

/** Softmax(Q·K)·V in one op: the letters of heads, of dims summed away in Q·K, and of dims that V carries. */
export interface AttentionLetters {
  readonly heads: readonly string[];
  readonly contracted: readonly string[];
  readonly carried: readonly string[];
}

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
}

/** A relation that can't hold for the operands it was given; the caller blocks them. */
export class RelationError extends Error {}

export interface Operands {
  /** Axes by input; undefined for an absent input. */
  readonly inputs: readonly (readonly Axis[] | undefined)[];
  /** Static dims by output, NaN where unknown; undefined for an absent output. */
  readonly outputs: readonly (readonly number[] | undefined)[];
}

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
  const sizes = solveSizes(relation.sizes, inputs, outputs, operands);

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
        else letters.set(pattern.name, axis);
        if (pattern.blocked) system.block(axis, blockerAt('input', input, i));
        if (axis.size !== 1) uses.push({ input, axis: i, letter: pattern.name, expression: axis });
      }
    });
  });
  for (const [pattern, axis, input, i] of composites) {
    system.unify(build(pattern, blockerAt('input', input, i)), axis, at(origin, 'input', input, i));
    for (const letter of plainLetters(pattern)) {
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
      for (const letter of plainLetters(pattern)) outputLetters.add(letter);
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
  return { outputs: outputAxes, uses, outputLetters };
}

function at(origin: Blocker, side: 'input' | 'output', index: number, axis: number): Blocker {
  return { ...origin, axis: `${side} ${index} axis ${axis}` };
}

/** Letters that stand for axes under `…` are numbered from the right: `…0` is the last. */
const isBroadcast = (letter: string): boolean => letter.startsWith('…');

function plainLetters(pattern: Pattern): string[] {
  if (pattern.kind === 'letter') return [pattern.name];
  return pattern.kind === 'number' ? [] : pattern.terms.flatMap(plainLetters);
}

type Aligned = readonly (Pattern | Ellipsis)[];

/** One pattern per axis: spells out the ellipsis. `_` gives undefined. */
function alignOperand(
  notation: Notation,
  side: 'input' | 'output',
  index: number,
  rank: number,
): Aligned | undefined {
  const list = notation[`${side}s`];
  if (index >= list.length) throw new RelationError(`${side} ${index} is not in its rule`);
  const patterns = list[index];
  if (!patterns) return undefined;
  const at = patterns.findIndex((pattern) => pattern.kind === 'ellipsis');
  if (at < 0) {
    if (patterns.length !== rank)
      throw new RelationError(`${side} ${index} has rank ${rank}, the rule wants ${patterns.length}`);
    return patterns;
  }
  const covered = rank - (patterns.length - 1);
  if (covered < 0)
    throw new RelationError(
      `${side} ${index} has rank ${rank}, the rule wants at least ${patterns.length - 1}`,
    );
  const ellipsis = patterns[at] as Ellipsis;
  const spelled = Array.from({ length: covered }, (_, i): Pattern | Ellipsis =>
    ellipsis.blocked ? ellipsis : { kind: 'letter', name: `…${covered - 1 - i}`, blocked: false },
  );
  return [...patterns.slice(0, at), ...spelled, ...patterns.slice(at + 1)];
}

/** Sizes of all letters: from axes they name alone, else the one unknown of a product or sum. */
function solveSizes(
  given: Relation['sizes'],
  inputs: readonly (Aligned | undefined)[],
  outputs: readonly (Aligned | undefined)[],
  operands: Operands,
): Map<string, number> {
  const sizes = new Map<string, number>(Object.entries(given ?? {}));
  const open: [Pattern, number][] = [];
  const visit = (patterns: Aligned | undefined, size: (i: number) => number): void => {
    patterns?.forEach((pattern, i) => {
      if (pattern.kind === 'letter') {
        if (!isBroadcast(pattern.name) && !sizes.has(pattern.name)) sizes.set(pattern.name, size(i));
      } else if (pattern.kind !== 'ellipsis' && pattern.kind !== 'number') open.push([pattern, size(i)]);
    });
  };
  inputs.forEach((patterns, i) => visit(patterns, (k) => operands.inputs[i]![k]!.size));
  outputs.forEach((patterns, i) => visit(patterns, (k) => operands.outputs[i]![k]!));
  for (let progress = true; progress;) {
    progress = false;
    for (const [pattern, size] of open) if (solve(pattern, size, sizes)) progress = true;
  }
  return sizes;
}

function sizeOf(pattern: Pattern, sizes: ReadonlyMap<string, number>): number | undefined {
  if (pattern.kind === 'number') return pattern.size;
  if (pattern.kind === 'letter') return sizes.get(pattern.name);
  let out = pattern.kind === 'sum' ? 0 : 1;
  for (const term of pattern.terms) {
    const size = sizeOf(term, sizes);
    if (size === undefined) return undefined;
    out = pattern.kind === 'sum' ? out + size : out * size;
  }
  return out;
}

/** Solves a pattern of known size for its only unknown letter; true if it found one. */
function solve(pattern: Pattern, size: number, sizes: Map<string, number>): boolean {
  if (pattern.kind === 'number') return false;
  if (pattern.kind === 'letter') {
    if (sizes.has(pattern.name)) return false;
    sizes.set(pattern.name, size);
    return true;
  }
  const unknown = pattern.terms.filter((term) => sizeOf(term, sizes) === undefined);
  const names = new Set(unknown.flatMap(plainLetters));
  if (unknown.length === 0 || names.size !== 1 || new Set(unknown.map((t) => t.kind)).size !== 1)
    return false;
  let rest = size;
  for (const term of pattern.terms) {
    const known = sizeOf(term, sizes);
    if (known !== undefined) rest = pattern.kind === 'sum' ? rest - known : rest / known;
  }
  // A letter may occur several times: (h + h + h + h).
  const share = pattern.kind === 'sum' ? rest / unknown.length : Math.round(rest ** (1 / unknown.length));
  if (!Number.isInteger(share) || share < 1)
    throw new RelationError(`no whole size fits '${[...names].join()}'`);
  return solve(unknown[0]!, share, sizes);
}
