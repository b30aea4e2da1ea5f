import type { MatrixProduct } from '../linear/product.js';
import { SecondMoments } from '../statistics/second-moments.js';
import { chooseDamping } from './solve.js';

/** With so many rows for each input what they have by chance doesn't matter. */
const plenty = 20;

/** Whether a layer's inputs could be fitted to what its rows have by chance. */
export function isScarce(rows: number, columns: number): boolean {
  return rows < plenty * columns;
}

/** Inputs that are told from the others to judge a damping: one in three, but no more than this. */
const mostTold = 64;

/**
 * The damping with which some inputs of a layer, told from the others on some rows, are told best on other rows. With
 * fewer independent rows than inputs any input looks as if the others could stand in for it; this says how far they can.
 */
export async function predictiveDamping(
  [fitted, held]: readonly [SecondMoments, SecondMoments],
  damping: number,
  product: MatrixProduct,
): Promise<number> {
  const { inputs } = fitted;
  const every = Math.max(3, Math.ceil(inputs / mostTold));
  const all = Int32Array.from({ length: inputs }, (_, i) => i);
  const told = all.filter((i) => i % every === 0);
  const others = all.filter((i) => i % every !== 0);
  if (others.length === 0) return damping;
  const [a, b] = [regression(fitted, others, told), regression(held, others, told)];
  const zeros = new Float64Array(told.length * others.length);
  const bias = new Float64Array(told.length);
  return chooseDamping(a, b, zeros, bias, { damping, centred: true, product });
}

/** The moments of telling some inputs from others. */
function regression(
  { xx, xMean, rows, inputs }: SecondMoments,
  from: Int32Array,
  to: Int32Array,
): SecondMoments {
  const block = (left: Int32Array, right: Int32Array): Float64Array => {
    const out = new Float64Array(left.length * right.length);
    let at = 0;
    for (const i of left) for (const j of right) out[at++] = xx[i * inputs + j]!;
    return out;
  };
  const moments = new SecondMoments(1, from.length, to.length);
  moments.add({
    rows,
    xMean: Float64Array.from(from, (i) => xMean[i]!),
    yMean: Float64Array.from(to, (i) => xMean[i]!),
    xx: block(from, from),
    yx: block(to, from),
    yy: Float64Array.from(to, (i) => xx[i * inputs + i]!),
  });
  return moments;
}
