import { integerBelow, randomGenerator } from '../random/random.js';

/** The q-quantile (0 to 1), interpolated linearly between order statistics. `values` need not be sorted. */
export function quantile(values: ArrayLike<number>, q: number): number {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return NaN;
  const position = q * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!);
}

export function median(values: ArrayLike<number>): number {
  return quantile(values, 0.5);
}

/**
 * Median of the paired ratios `baseline[i] / candidate[i]` and its 95 % percentile bootstrap interval
 * (1,000 resamples, seeded). Pairs taken in the same round share the machine's mood, so their ratios vary less
 * than the times do.
 */
export function pairedSpeedup(
  baseline: readonly number[],
  candidate: readonly number[],
  seed: number | string,
): { readonly speedup: number; readonly interval: readonly [number, number] } {
  const ratios = Float64Array.from(candidate, (time, index) => baseline[index]! / time);
  const random = randomGenerator(seed);
  const resample = new Float64Array(ratios.length);
  const medians = Float64Array.from({ length: 1000 }, () => {
    for (let i = 0; i < resample.length; i++) resample[i] = ratios[integerBelow(ratios.length, random)]!;
    return median(resample);
  });
  return { speedup: median(ratios), interval: [quantile(medians, 0.025), quantile(medians, 0.975)] };
}
