import type { Values } from './values.js';

/**
 * The exponential moving average of values over steps: a ← d·a + (1 − d)·w with d = min(decay, (1 + t) / (10 + t)) at
 * step t, so that the first steps don't weigh on it for long.
 */
export class MovingAverage {
  readonly values: Values;

  constructor(
    from: Values,
    private readonly decay: number,
  ) {
    this.values = new Map([...from].map(([name, own]) => [name, own.slice()]));
  }

  /** @param step from 1 */
  add(values: Values, step: number): void {
    const keep = Math.min(this.decay, (1 + step) / (10 + step));
    for (const [name, average] of this.values) {
      const now = values.get(name)!;
      for (let i = 0; i < average.length; i++) average[i]! += (1 - keep) * (now[i]! - average[i]!);
    }
  }
}
