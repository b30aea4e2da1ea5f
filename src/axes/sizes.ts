import { intAttribute } from '../onnx/attributes.js';
import type { Node } from '../onnx/model.js';
import { isBroadcast, type Aligned } from './align.js';
import { lettersOf, parseExtent, type Pattern } from './notation.js';
import { RelationError, type Operands, type Relation, type SizeAttribute } from './relation.js';

/**
 * Sizes of all letters: from what the relation gives and the axes they name alone, else as the one unknown of a
 * product or sum.
 * @throws RelationError where an attribute is missing or no whole size fits.
 */
export function solveSizes(
  given: Relation['sizes'],
  operands: Operands,
  inputs: readonly Aligned[],
  outputs: readonly Aligned[],
): Map<string, number> {
  const sizes = new Map<string, number>();
  const open: [Pattern, number][] = [];
  for (const [text, source] of Object.entries(given ?? {})) {
    const pattern = parseExtent(text);
    const size = typeof source === 'number' ? source : readAttribute(operands.node, source);
    if (pattern.kind === 'letter') sizes.set(pattern.name, size);
    else open.push([pattern, size]);
  }
  const visit = (patterns: Aligned, size: (i: number) => number): void => {
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

function readAttribute(node: Node, { attribute, otherwise }: SizeAttribute): number {
  const size = intAttribute(node, attribute) ?? otherwise;
  if (size === undefined) throw new RelationError(`its attribute '${attribute}' is missing`);
  return size;
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
  const names = new Set(unknown.flatMap(lettersOf));
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
