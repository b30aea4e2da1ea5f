import type { Operation } from './operation.js';
import { timeOf, type MeasureOptions } from './table.js';

/** Multiples that kernels are written for: vectors of 8 and 16 floats, and 32 for GPUs. */
const candidates = [1, 4, 8, 16, 32] as const;

/** Operations that are tried: those with the most multiply-adds. */
const tried = 3;

/** A smaller multiple wins if it costs no more than this share more time for each channel. */
const tolerance = 1.05;

/**
 * The smallest multiple of channels that runs as fast, channel for channel, as any larger one: the costliest operations
 * are measured at about three quarters of their widths, at an odd multiple of each candidate.
 */
export async function bestAlignment(
  operations: readonly Operation[],
  options: MeasureOptions,
): Promise<number> {
  const distinct = [...new Map(operations.map((operation) => [operation.signature, operation])).values()]
    .filter(({ dense }) => dense.length > 0 && dense.every((width) => width >= 2 * candidates.at(-1)!))
    .sort((a, b) => b.macs - a.macs)
    .slice(0, tried);
  if (distinct.length === 0) return 1;
  const rates = new Map<number, number>(candidates.map((multiple) => [multiple, 0]));
  for (const operation of distinct) {
    const measured = new Map<number, number>();
    for (const multiple of candidates) {
      const widths = operation.dense.map((width) => oddMultiple(0.75 * width, multiple));
      const share = widths.reduce((product, width, i) => (product * width) / operation.dense[i]!, 1);
      measured.set(multiple, (await timeOf(operation, widths, options)) / share);
    }
    const best = Math.min(...measured.values());
    for (const [multiple, rate] of measured) rates.set(multiple, rates.get(multiple)! + rate / best);
  }
  const best = Math.min(...rates.values());
  return candidates.find((multiple) => rates.get(multiple)! <= tolerance * best)!;
}

/** The multiple nearest to a width that is no multiple of twice as much. */
export function oddMultiple(width: number, multiple: number): number {
  const half = Math.round((width / multiple - 1) / 2);
  return multiple * (2 * Math.max(0, half) + 1);
}
