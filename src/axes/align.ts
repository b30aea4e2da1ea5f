import type { Ellipsis, Notation, Pattern } from './notation.js';
import { RelationError } from './relation.js';

/** One pattern per axis of an operand, the ellipsis spelled out; undefined for an operand left alone. */
export type Aligned = readonly (Pattern | Ellipsis)[] | undefined;

/** Letters that stand for axes under `…` are numbered from the right: `…0` is the last. */
export const isBroadcast = (letter: string): boolean => letter.startsWith('…');

/**
 * The patterns of an operand of the given rank.
 * @throws RelationError if the rank doesn't fit the notation
 */
export function alignOperand(
  notation: Notation,
  side: 'input' | 'output',
  index: number,
  rank: number,
): Aligned {
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
