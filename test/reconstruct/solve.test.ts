import { expect, it } from 'vitest';
import { plainProduct } from '../../src/linear/product.js';
import { randomGenerator } from '../../src/random/random.js';
import { chooseDamping, solveLayer } from '../../src/reconstruct/solve.js';
import { SecondMoments } from '../../src/statistics/second-moments.js';

const damping = 1e-3;

/** Moments of random rows, in float64, with the rows. */
function randomMoments(groups: number, inputs: number, outputs: number, rows: number) {
  const random = randomGenerator(`${groups} ${inputs} ${outputs}`);
  const draw = (count: number): Float64Array => Float64Array.from({ length: count }, () => random() + 0.3);
  const moments = new SecondMoments(groups, inputs, outputs);
  const lists = Array.from({ length: rows }, () => ({ x: draw(groups * inputs), y: draw(groups * outputs) }));
  for (const { x, y } of lists) {
    const zeros = (count: number): Float64Array => new Float64Array(count);
    const [xx, yx] = [zeros(groups * inputs ** 2), zeros(groups * inputs * outputs)];
    moments.add({ rows: 1, xMean: x, yMean: y, xx, yx, yy: zeros(groups * outputs) });
  }
  return { moments, lists, weights: draw(groups * inputs * outputs), bias: draw(groups * outputs) };
}

/** x with A x = b, by Gaussian elimination with pivoting. */
function eliminate(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const n = rows.length;
  for (let c = 0; c < n; c++) {
    let pivot = c;
    for (let r = c; r < n; r++) if (Math.abs(rows[r]![c]!) > Math.abs(rows[pivot]![c]!)) pivot = r;
    [rows[c], rows[pivot]] = [rows[pivot]!, rows[c]!];
    for (let r = c + 1; r < n; r++) {
      const factor = rows[r]![c]! / rows[c]![c]!;
      for (let k = c; k <= n; k++) rows[r]![k]! -= factor * rows[c]![k]!;
    }
  }
  const out = new Array<number>(n).fill(0);
  for (let r = n - 1; r >= 0; r--) {
    let sum = rows[r]![n]!;
    for (let k = r + 1; k < n; k++) sum -= rows[r]![k]! * out[k]!;
    out[r] = sum / rows[r]![r]!;
  }
  return out;
}

it.each([
  { groups: 1, inputs: 9, outputs: 3, centred: true },
  { groups: 1, inputs: 9, outputs: 3, centred: false },
  { groups: 3, inputs: 4, outputs: 2, centred: true },
  { groups: 1, inputs: 80, outputs: 2, centred: true },
])(
  'solves the normal equations of $groups groups of $inputs inputs, centred: $centred',
  async ({ groups, inputs, outputs, centred }) => {
    const { moments, lists, weights, bias } = randomMoments(groups, inputs, outputs, 2 * inputs + 7);
    const solution = await solveLayer(moments, weights, bias, { damping, centred, product: plainProduct });
    let [wanted, before, after] = [0, 0, 0];
    for (let g = 0; g < groups; g++) {
      const xs = lists.map(({ x }) => [...x.subarray(g * inputs, (g + 1) * inputs)]);
      const mean = xs[0]!.map((_, i) => (centred ? xs.reduce((sum, x) => sum + x[i]!, 0) / xs.length : 0));
      const moved = xs.map((x) => x.map((v, i) => v - mean[i]!));
      const h = mean.map((_, i) => mean.map((__, j) => moved.reduce((sum, x) => sum + x[i]! * x[j]!, 0)));
      const lambda = (damping * h.reduce((sum, row, i) => sum + row[i]!, 0)) / inputs;
      const damped = h.map((row, i) => row.map((v, j) => (i === j ? v + lambda : v)));
      for (let r = 0; r < outputs; r++) {
        const ys = lists.map(({ y }) => y[g * outputs + r]!);
        const average = ys.reduce((a, b) => a + b, 0) / ys.length;
        const origin = centred ? average : 0;
        const from = (g * outputs + r) * inputs;
        const w = [...weights.subarray(from, from + inputs)];
        const gap = mean.map((_, i) =>
          moved.reduce((sum, x, n) => sum + (ys[n]! - origin - dot(w, x)) * x[i]!, 0),
        );
        const expected = eliminate(damped, gap).map((delta, i) => w[i]! + delta);
        const got = [...solution.matrix.subarray(from, from + inputs)];
        const scale = Math.max(...expected.map(Math.abs));
        expected.forEach((value, i) => expect(Math.abs(got[i]! - value) / scale).toBeLessThan(1e-6));
        const offset = centred ? average - dot(expected, mean) : 0;
        expect(solution.offset[g * outputs + r]).toBeCloseTo(offset, 6);
        const b = centred ? bias[g * outputs + r]! : 0;
        wanted += ys.reduce((sum, y) => sum + (y - average) ** 2, 0);
        before += xs.reduce((sum, x, n) => sum + (ys[n]! - dot(w, x) - b) ** 2, 0);
        after += xs.reduce((sum, x, n) => sum + (ys[n]! - dot(expected, x) - offset) ** 2, 0);
      }
    }
    expect(solution.before / (before / wanted)).toBeCloseTo(1, 6);
    expect(solution.after / (after / wanted)).toBeCloseTo(1, 6);
    expect(solution.damping).toBe(damping);
  },
);

it('is joint optimal brain surgery where inputs are the dense ones', async () => {
  // Removing inputs 3 and 4 of 5: W' = W_K + W_P H_PK (H_KK + λI)⁻¹.
  const inputs = 5;
  const { moments, weights } = randomMoments(1, inputs, 1, 30);
  const w = [...weights];
  const h = (i: number, j: number): number => moments.xx[i * inputs + j]!;
  const kept = new SecondMoments(1, 3, 1);
  kept.add({
    rows: moments.rows,
    xMean: moments.xMean.subarray(0, 3),
    yMean: [dot(w, [...moments.xMean])],
    xx: [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => h(i, j))),
    yx: [0, 1, 2].map((j) => dot(w, [0, 1, 2, 3, 4].map((i) => h(i, j)))), // prettier-ignore
    yy: [dot(w, [0, 1, 2, 3, 4].map((i) => dot(w, [0, 1, 2, 3, 4].map((j) => h(i, j)))))], // prettier-ignore
  });
  const lambda = (damping * (h(0, 0) + h(1, 1) + h(2, 2))) / 3;
  const damped = [0, 1, 2].map((i) => [0, 1, 2].map((j) => h(i, j) + (i === j ? lambda : 0)));
  const delta = eliminate(damped, [0, 1, 2].map((j) => w[3]! * h(3, j) + w[4]! * h(4, j))); // prettier-ignore
  const options = { damping, centred: true, product: plainProduct };
  const { matrix } = await solveLayer(kept, Float64Array.from(w.slice(0, 3)), new Float64Array(1), options);
  delta.forEach((d, i) => expect(matrix[i]).toBeCloseTo(w[i]! + d, 10));
});

it('damps more where inputs repeat each other, and says so', async () => {
  const moments = new SecondMoments(1, 2, 1);
  moments.add({ rows: 10, xMean: [0, 0], yMean: [0], xx: [1, 1, 1, 1], yx: [1, 1], yy: [1] });
  const options = { damping: 1e-16, centred: true, product: plainProduct };
  const solution = await solveLayer(moments, new Float64Array(2), new Float64Array(1), options);
  expect(solution.damping).toBeGreaterThan(1e-14);
  expect(solution.matrix[0]! + solution.matrix[1]!).toBeCloseTo(1, 6);
  expect(solution.after).toBeLessThan(1e-6);
});

it('leaves a layer alone whose inputs are dead', async () => {
  const moments = new SecondMoments(1, 2, 1);
  moments.add({ rows: 10, xMean: [0, 0], yMean: [3], xx: [0, 0, 0, 0], yx: [0, 0], yy: [1] });
  const options = { damping, centred: true, product: plainProduct };
  const solution = await solveLayer(moments, Float64Array.of(5, 6), Float64Array.of(1), options);
  expect([...solution.matrix, ...solution.offset]).toEqual([5, 6, 3]);
});

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

it('damps more where rows are few and the wanted output is mostly chance', async () => {
  const weights = (inputs: number): Float64Array => new Float64Array(inputs).fill(0.1);
  const chosen = async (rows: number, noise: number): Promise<number> => {
    const inputs = 20;
    const random = randomGenerator(`${rows} ${noise}`);
    const draw = (): SecondMoments => {
      const moments = new SecondMoments(1, inputs, 1);
      for (let r = 0; r < rows; r++) {
        const x = Float64Array.from({ length: inputs }, () => random() - 0.5);
        const y = x.reduce((sum, value, i) => sum + value * (0.1 + 0.01 * (i % 3)), noise * (random() - 0.5));
        const zeros = (count: number): Float64Array => new Float64Array(count);
        moments.add({ rows: 1, xMean: x, yMean: [y], xx: zeros(inputs ** 2), yx: zeros(inputs), yy: [0] });
      }
      return moments;
    };
    const options = { damping, centred: true, product: plainProduct };
    return chooseDamping(draw(), draw(), weights(inputs), new Float64Array(1), options);
  };
  expect(await chosen(25, 1)).toBeGreaterThanOrEqual(1);
  expect(await chosen(2000, 0)).toBe(damping);
});
