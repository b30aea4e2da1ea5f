import { Matrix } from 'ml-matrix';
import { expect, it } from 'vitest';
import { productBases, readBasis } from '../../src/rotation/bases.js';
import { randomGenerator } from '../../src/random/random.js';

function random(rows: number, columns: number, seed: string): Matrix {
  const next = randomGenerator(seed);
  return Matrix.from1DArray(
    rows,
    columns,
    Array.from({ length: rows * columns }, () => next() - 0.5),
  );
}

const covarianceOf = (samples: Matrix): Matrix => samples.transpose().mmul(samples).div(samples.rows);

/** E ‖W (x − P x)‖² for x of a covariance. */
function lossOf(weights: Matrix, projection: Matrix, covariance: Matrix): number {
  const gap = weights.mmul(Matrix.sub(Matrix.eye(covariance.rows), projection));
  return gap.mmul(covariance).mmul(gap.transpose()).trace();
}

const first = (basis: { forward: Matrix; backward: Matrix }, rank: number): Matrix => {
  const n = basis.forward.rows;
  return basis.backward.subMatrix(0, n - 1, 0, rank - 1).mmul(basis.forward.subMatrix(0, rank - 1, 0, n - 1));
};

it('gives the first coordinates of a space all that so few can hold', () => {
  const [n, outputs] = [6, 9];
  const mix = random(n, n, 'mix');
  const covariance = covarianceOf(random(200, n, 'x').mmul(mix));
  const weights = random(outputs, n, 'w');
  const basis = readBasis(covariance, weights.transpose().mmul(weights))!;
  expect(Matrix.sub(basis.forward.mmul(basis.backward), Matrix.eye(n)).norm()).toBeLessThan(1e-9);
  const whole = lossOf(weights, Matrix.zeros(n, n), covariance);
  for (let rank = 1; rank < n; rank++) {
    const loss = lossOf(weights, first(basis, rank), covariance);
    const tail = basis.losses.subarray(rank).reduce((sum, share) => sum + share, 0);
    // Up to the damping.
    expect(loss / whole).toBeCloseTo(tail, 2);
    for (let other = 0; other < 20; other++) {
      // Any other projection of the rank, each with the best way back.
      const down = random(rank, n, `${rank} ${other}`);
      const seen = down.mmul(covariance).mmul(down.transpose());
      const up = covariance.mmul(down.transpose()).mmul(inverseOf(seen));
      expect(lossOf(weights, up.mmul(down), covariance)).toBeGreaterThan(loss * 0.99);
    }
  }
});

it('gives two spaces bases in which products are what they were, and the first coordinates hold most of them', () => {
  const n = 5;
  const q = random(300, n, 'q').mmul(random(n, n, 'a'));
  const k = random(300, n, 'k').mmul(random(n, n, 'b'));
  const bases = productBases(covarianceOf(q), covarianceOf(k))!;
  const [z, y] = [q.mmul(bases.left.transpose()), k.mmul(bases.right.transpose())];
  const products = q.mmul(k.transpose());
  expect(Matrix.sub(z.mmul(y.transpose()), products).norm()).toBeLessThan(1e-9 * products.norm());
  for (let rank = 1; rank < n; rank++) {
    const part = z.subMatrix(0, 299, 0, rank - 1).mmul(y.subMatrix(0, 299, 0, rank - 1).transpose());
    const lost = Matrix.sub(products, part).norm() ** 2 / products.norm() ** 2;
    const tail = bases.losses.subarray(rank).reduce((sum, share) => sum + share, 0);
    expect(lost).toBeCloseTo(tail, 2);
  }
});

it('has none for a space in which nothing varies', () => {
  expect(readBasis(Matrix.zeros(3, 3), Matrix.eye(3))).toBeUndefined();
  expect(readBasis(Matrix.eye(3), Matrix.zeros(3, 3))).toBeUndefined();
});

function inverseOf(matrix: Matrix): Matrix {
  return Matrix.from1DArray(matrix.rows, matrix.rows, solveIdentity(matrix));
}

/** Gauss and Jordan. */
function solveIdentity(matrix: Matrix): number[] {
  const n = matrix.rows;
  const rows = matrix
    .to2DArray()
    .map((row, i) => [...row, ...Array.from({ length: n }, (_, j) => +(i === j))]);
  for (let i = 0; i < n; i++) {
    const pivot = rows[i]![i]!;
    rows[i] = rows[i]!.map((value) => value / pivot);
    for (let j = 0; j < n; j++) {
      const factor = rows[j]![i]!;
      if (j !== i) rows[j] = rows[j]!.map((value, c) => value - factor * rows[i]![c]!);
    }
  }
  return rows.flatMap((row) => row.slice(n));
}
