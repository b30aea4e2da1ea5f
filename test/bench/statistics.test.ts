import { expect, test } from 'vitest';
import { median, pairedSpeedup, quantile } from '../../src/bench/statistics.js';
import { normal, randomGenerator } from '../../src/random/random.js';

test('quantiles interpolate between order statistics', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(quantile([10, 0], 0.9)).toBe(9);
  expect(quantile([5], 0.3)).toBe(5);
  expect(quantile([], 0.5)).toBeNaN();
});

test('the speedup is the median of paired ratios, whatever the machine did meanwhile', () => {
  const random = randomGenerator('noise');
  // Both models get slower and slower; the second one takes half the time of the first, give or take 5 %.
  const baseline = Array.from({ length: 60 }, (_, i) => 10 + i);
  const candidate = baseline.map((time) => (time / 2) * (1 + 0.05 * normal(random)));
  const { speedup, interval } = pairedSpeedup(baseline, candidate, 0);
  expect(speedup).toBeCloseTo(2, 1);
  expect(interval[0]).toBeLessThan(speedup);
  expect(interval[1]).toBeGreaterThan(speedup);
  expect(interval[0]).toBeGreaterThan(1.9);
  expect(interval[1]).toBeLessThan(2.1);
});

test('the interval covers 1 about as often as it says when nothing differs', () => {
  const random = randomGenerator('coverage');
  let covered = 0;
  for (let trial = 0; trial < 60; trial++) {
    const draw = () => Array.from({ length: 25 }, () => Math.exp(0.2 * normal(random)));
    const { interval } = pairedSpeedup(draw(), draw(), trial);
    if (interval[0] <= 1 && interval[1] >= 1) covered++;
  }
  expect(covered).toBeGreaterThanOrEqual(52);
  expect(covered).toBeLessThan(60);
});

test('is reproducible', () => {
  expect(pairedSpeedup([1, 2, 3], [3, 1, 2], 5)).toEqual(pairedSpeedup([1, 2, 3], [3, 1, 2], 5));
});
