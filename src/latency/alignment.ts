import type { Operation } from './operation.js';
import { timesOf, type MeasureOptions } from './measure.js';

/** Multiples that kernels are written for: vectors of 8 and 16 floats, and 32 for GPUs. */
const candidates = [1, 4, 8, 16, 32] as const;

/** A smaller multiple wins if it costs no more than this share more time for each channel. */
const tolerance = 1.05;

/**
 * The smallest multiple of channels at which a model runs about as fast, channel for channel, as at any other. Every
 * operation is measured at about three quarters of its widths, at an odd multiple of each candidate, all side by side.
 * The cheap ones count too: a depthwise convolution has few multiply-adds, and is many times as slow off its vectors.
 */
export async function bestAlignment(
  operations: readonly Operation[],
  options: MeasureOptions,
): Promise<number> {
  const alike = new Map<string, Operation[]>();
  for (const operation of operations) {
    if (operation.dense.length === 0 || operation.dense.some((width) => width < 2 * candidates.at(-1)!))
      continue;
    alike.set(operation.signature, [...(alike.get(operation.signature) ?? []), operation]);
  }
  if (alike.size === 0) return 1;
  const rates = new Map<number, number>(candidates.map((multiple) => [multiple, 0]));
  for (const group of alike.values()) {
    const operation = group[0]!;
    const { dense } = operation;
    const parts = candidates.map((multiple) => ({
      operation,
      widths: dense.map((width) => oddMultiple(0.75 * width, multiple)),
    }));
    const times = await timesOf(parts, 'at odd multiples', options);
    parts.forEach(({ widths }, i) => {
      const share = widths.reduce((product, width, axis) => (product * width) / dense[axis]!, 1);
      const rate = (group.length * times[i]!) / share;
      rates.set(candidates[i]!, rates.get(candidates[i]!)! + rate);
    });
  }
  const best = Math.min(...rates.values());
  return candidates.find((multiple) => rates.get(multiple)! <= tolerance * best)!;
}

/** The multiple nearest to a width that is no multiple of twice as much. */
export function oddMultiple(width: number, multiple: number): number {
  const half = Math.round((width / multiple - 1) / 2);
  return multiple * (2 * Math.max(0, half) + 1);
}
