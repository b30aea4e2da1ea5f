import type { MatrixProduct } from '../linear/product.js';
import type { SecondMoments } from '../statistics/second-moments.js';
import type { Solution } from './solve.js';

/**
 * What is changed so that a layer comes closer to its dense output, from most to least:
 * - `weights`: weights and bias, by least squares (`solveLayer`).
 * - `statistics`: every output keeps its mean and deviation. A BatchNormalization right behind the layer takes the
 *   statistics that it sees now; elsewhere the change is folded into weight and bias, y' = (y − μ) σ_d / σ + μ_d
 *   (Jordan et al., "REPAIR: REnormalizing Permuted Activations for Interpolation Repair", 2022).
 * - `mean-to-bias`: every output keeps its mean; what removed channels added on average goes into the bias (An et al.,
 *   "Fluctuation-based Adaptive Structured Pruning for Large Language Models", 2024).
 */
export type Repair = (typeof repairs)[number];

export const repairs = ['weights', 'statistics', 'mean-to-bias'] as const;

export interface RepairOptions {
  readonly repair: Exclude<Repair, 'weights'>;
  /** Whether there is a bias to change. */
  readonly hasBias: boolean;
  readonly product: MatrixProduct;
}

/** An output whose deviation falls below this share of the dense one's has nothing left to scale. */
const dead = 1e-4;

/**
 * The same moments as for `solveLayer`, but only means and deviations of outputs are kept.
 *
 * @param weights restricted to what is kept: [groups, outputs, inputs]
 * @param bias of the layer, by group and output
 */
export async function repairLayer(
  moments: SecondMoments,
  weights: Float64Array,
  bias: Float64Array,
  { repair, hasBias, product }: RepairOptions,
): Promise<Solution> {
  const { groups, inputs, outputs, rows } = moments;
  const matrix = weights.slice();
  const offset = new Float64Array(groups * outputs);
  const mean = new Float64Array(groups * outputs);
  const squares = new Float64Array(groups * outputs);
  const error = { before: 0, after: 0, wanted: 0 };
  for (let g = 0; g < groups; g++) {
    const w = weights.subarray(g * outputs * inputs, (g + 1) * outputs * inputs);
    const xx = moments.xx.subarray(g * inputs * inputs, (g + 1) * inputs * inputs);
    const made = await product(w, xx, outputs, inputs, inputs);
    for (let r = 0; r < outputs; r++) {
      const at = g * outputs + r;
      let [shared, square, average] = [0, 0, 0];
      for (let j = 0; j < inputs; j++) {
        const value = w[r * inputs + j]!;
        square += value * made[r * inputs + j]!;
        shared += value * moments.yx[at * inputs + j]!;
        average += value * moments.xMean[g * inputs + j]!;
      }
      square = Math.max(0, square);
      [mean[at], squares[at]] = [average, square];
      const wanted = moments.yy[at]!;
      const isMatched = repair === 'statistics' && square > dead ** 2 * wanted;
      const scale = isMatched ? Math.sqrt(wanted / square) : 1;
      for (let j = 0; j < inputs; j++) matrix[at * inputs + j]! *= scale;
      const gap = moments.yMean[at]! - average - bias[at]!;
      offset[at] = hasBias ? moments.yMean[at]! - scale * average : 0;
      const rest = hasBias ? 0 : moments.yMean[at]! - scale * average;
      error.wanted += wanted;
      error.before += wanted - 2 * shared + square + rows * gap ** 2;
      error.after += wanted - 2 * scale * shared + scale ** 2 * square + rows * rest ** 2;
    }
  }
  const share = (value: number): number => (error.wanted > 0 ? Math.max(0, value) / error.wanted : 0);
  const statistics = { mean, squares };
  return { matrix, offset, before: share(error.before), after: share(error.after), damping: 0, statistics };
}
