import { expect, it } from 'vitest';
import { plainProduct } from '../../src/linear/product.js';
import { randomGenerator } from '../../src/random/random.js';
import { isScarce, predictiveDamping } from '../../src/reconstruct/scarce.js';
import { SecondMoments } from '../../src/statistics/second-moments.js';

const inputs = 24;

/** Inputs made of a few directions and noise, by rows. */
function rowsOf(count: number, noise: number, seed: string): number[][] {
  const shape = randomGenerator('directions');
  const directions = Array.from({ length: 3 }, () => Array.from({ length: inputs }, () => shape() - 0.5));
  const next = randomGenerator(seed);
  return Array.from({ length: count }, () => {
    const weights = directions.map(() => 4 * (next() - 0.5));
    return Array.from({ length: inputs }, (_, i) =>
      directions.reduce((sum, direction, d) => sum + weights[d]! * direction[i]!, noise * (next() - 0.5)),
    );
  });
}

function momentsOf(rows: readonly (readonly number[])[]): SecondMoments {
  const moments = new SecondMoments(1, inputs, 1, false);
  const xMean = Array.from(
    { length: inputs },
    (_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length,
  );
  const xx = Array.from({ length: inputs * inputs }, (_, at) =>
    rows.reduce((sum, row) => sum + (row[Math.floor(at / inputs)]! - xMean[Math.floor(at / inputs)]!) * (row[at % inputs]! - xMean[at % inputs]!), 0),
  ); // prettier-ignore
  moments.add({ rows: rows.length, xMean, yMean: [0], xx, yy: [1] });
  return moments;
}

const damping = (count: number): Promise<number> =>
  predictiveDamping([momentsOf(rowsOf(count, 1, 'a')), momentsOf(rowsOf(count, 1, 'b'))], 1e-3, plainProduct);

it('few rows call for more damping than many', async () => {
  expect(isScarce(20, inputs)).toBe(true);
  expect(isScarce(2000, inputs)).toBe(false);
  const [few, many] = [await damping(20), await damping(2000)];
  expect(many).toBeLessThanOrEqual(1e-2);
  expect(few).toBeGreaterThanOrEqual(10 * many);
});
