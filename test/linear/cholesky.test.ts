import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cholesky, solveRows } from '../../src/linear/cholesky.js';
import { plainProduct, runtimeProduct } from '../../src/linear/product.js';
import { randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';

let products: Awaited<ReturnType<typeof runtimeProduct>>;
beforeAll(async () => {
  products = await runtimeProduct(await nodeRuntime());
});
afterAll(() => products.release());

function uniform(count: number, seed: string): Float64Array {
  const random = randomGenerator(seed);
  return Float64Array.from({ length: count }, () => random() - 0.5);
}

/** A Aᵀ + I */
function positiveDefinite(size: number, seed: string): Float64Array {
  const a = uniform(size * size, seed);
  const out = plainProduct(a, a, size, size, size);
  for (let i = 0; i < size; i++) out[i * size + i]! += 1;
  return out;
}

describe('the product', () => {
  // 96 · 80 · 70 goes through onnxruntime, 3 · 4 · 5 does not.
  it.each([
    [3, 4, 5],
    [96, 80, 70],
  ])('of %i×k and %i×k matrices with k = %i', async (m, n, k) => {
    const [a, b] = [uniform(m * k, 'a'), uniform(n * k, 'b')];
    const got = await products.product(a, b, m, n, k);
    for (const [i, j] of [
      [0, 0],
      [m - 1, n - 1],
      [1, n - 2],
    ] as const) {
      // prettier-ignore
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a[i * k + p]! * b[j * k + p]!;
      expect(got[i * n + j]).toBeCloseTo(sum, 12);
    }
  });
});

describe('blocked Cholesky', () => {
  it.each([1, 5, 64, 65, 200])('solves systems of size %i', async (size) => {
    const matrix = positiveDefinite(size, `h${size}`);
    const wanted = uniform(3 * size, 'x');
    const right = plainProduct(wanted, matrix, 3, size, size);
    const factor = await cholesky(matrix.slice(), size, products.product);
    const got = await solveRows(factor!, right, 3, products.product);
    got.forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 8));
  });

  it('says so if a matrix is not positive definite', async () => {
    const size = 100;
    const rank = 40;
    const half = uniform(size * rank, 'half');
    const singular = plainProduct(half, half, size, size, rank);
    expect(await cholesky(singular, size, products.product)).toBeUndefined();
  });
});
