import { integerBelow, randomGenerator } from '../random/random.js';

/** Draws `wanted` of `count` rows without repetition, in ascending order; all if there are no more. */
export function drawRows(count: number, wanted: number, seed: string): Int32Array {
  const all = Int32Array.from({ length: count }, (_, i) => i);
  if (wanted >= count) return all;
  const random = randomGenerator(seed);
  for (let i = 0; i < wanted; i++) {
    const other = i + integerBelow(count - i, random);
    [all[i], all[other]] = [all[other]!, all[i]!];
  }
  return all.subarray(0, wanted).sort();
}
