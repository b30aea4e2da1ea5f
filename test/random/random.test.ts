import { expect, test } from 'vitest';
import { fillNormal, integerBelow, normal, randomGenerator } from '../../src/random/random.js';

test('the same seed gives the same sequence, another seed another one', () => {
  const draw = (seed: number | string) => {
    const random = randomGenerator(seed);
    return Array.from({ length: 5 }, random);
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw('7')).toEqual(draw(7));
  expect(draw(8)).not.toEqual(draw(7));
  expect(draw(0.5)).not.toEqual(draw(0));
  expect(draw('a:b')).not.toEqual(draw('b:a'));
});

test('uniform numbers fill [0, 1) evenly', () => {
  const random = randomGenerator(1);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) {
    const value = random();
    counts[Math.floor(10 * value)]!++; // NaN past either end
  }
  expect(Object.keys(counts)).toHaveLength(10);
  // Chi-squared with 9 degrees of freedom: above 30 has probability 0.0004.
  expect(counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(30);
});

test('normal numbers have mean 0, variance 1 and thin tails', () => {
  const random = randomGenerator('normal');
  const single = Array.from({ length: 20_000 }, () => normal(random));
  const filled = [...fillNormal(new Float32Array(20_001), random)];
  for (const values of [single, filled]) {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.05);
    expect(values.filter((x) => Math.abs(x) > 1.96).length / values.length).toBeCloseTo(0.05, 1.5);
    expect(values.every(Number.isFinite)).toBe(true);
  }
});

test('integers are below their bound and reach both ends', () => {
  const random = randomGenerator(3);
  const seen = new Set(Array.from({ length: 200 }, () => integerBelow(4, random)));
  expect([...seen].sort()).toEqual([0, 1, 2, 3]);
});
