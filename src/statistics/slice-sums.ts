import type { PruningGroup } from '../groups/group.js';
import type { MemberWeights } from '../members/weights.js';

/** Sums of products over each position of one axis of a tensor. */
export interface AxisSums {
  readonly signed: Float64Array;
  readonly absolute: Float64Array;
  readonly squares: Float64Array;
}

/** Σ p, Σ abs(p) and Σ p² of p = a·b at each position of the middle axis of (outer, length, inner). */
export function productSums(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  { outer, length, inner }: Pick<MemberWeights, 'outer' | 'length' | 'inner'>,
): AxisSums {
  const signed = new Float64Array(length);
  const absolute = new Float64Array(length);
  const squares = new Float64Array(length);
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (let position = 0; position < length; position++) {
      let s = 0;
      let t = 0;
      let u = 0;
      for (let i = 0; i < inner; i++, at++) {
        const p = a[at]! * b[at]!;
        s += p;
        t += Math.abs(p);
        u += p * p;
      }
      signed[position]! += s;
      absolute[position]! += t;
      squares[position]! += u;
    }
  return { signed, absolute, squares };
}

/** Sums by position as sums by channel of the group. */
export function byChannel(
  sums: Float64Array,
  { positions, channels }: Pick<MemberWeights, 'positions' | 'channels'>,
  { size }: PruningGroup,
): Float64Array {
  const out = new Float64Array(size);
  for (let i = 0; i < positions.length; i++) out[channels[i]!]! += sums[positions[i]!]!;
  return out;
}
