import { cholesky, solveRows } from '../linear/cholesky.js';
import type { MatrixProduct } from '../linear/product.js';
import type { SecondMoments } from '../statistics/second-moments.js';

export interface SolveOptions {
  /** λ as a share of the mean of the diagonal. */
  readonly damping: number;
  /** Whether the mean can be made up for by a bias. */
  readonly centred: boolean;
  readonly product: MatrixProduct;
}

/** Dampings that are tried where rows are few, as multiples of what is asked for. */
const dampings = [1, 10, 100, 1e3, 1e4];

/**
 * The damping with which a layer that is solved on some rows does best on others. Inputs that are not far fewer than
 * rows would otherwise be fitted to what the rows have by chance.
 */
export async function chooseDamping(
  moments: SecondMoments,
  held: SecondMoments,
  weights: Float64Array,
  bias: Float64Array,
  options: SolveOptions,
): Promise<number> {
  let best = { damping: options.damping, error: Infinity };
  for (const factor of dampings) {
    const damping = factor * options.damping;
    const { matrix, offset } = await solveLayer(moments, weights, bias, { ...options, damping });
    const error = await squaredError(held, matrix, options.centred ? offset : bias, options);
    if (error < best.error) best = { damping, error };
  }
  return best.damping;
}

/** Σ (y − W x − b)² */
async function squaredError(
  { groups, inputs, outputs, rows, xx, yx, yy, xMean, yMean }: SecondMoments,
  matrix: Float64Array,
  bias: Float64Array,
  { product }: SolveOptions,
): Promise<number> {
  let error = 0;
  for (let g = 0; g < groups; g++) {
    const start = g * outputs * inputs;
    const own = matrix.subarray(start, start + outputs * inputs);
    const mapped = await product(
      own,
      xx.subarray(g * inputs * inputs, (g + 1) * inputs * inputs),
      outputs,
      inputs,
      inputs,
    );
    for (let i = 0; i < own.length; i++) error += own[i]! * (mapped[i]! - 2 * yx[start + i]!);
    for (let r = g * outputs; r < (g + 1) * outputs; r++) {
      let gap = yMean[r]! - bias[r]!;
      for (let j = 0; j < inputs; j++) gap -= matrix[r * inputs + j]! * xMean[g * inputs + j]!;
      error += yy[r]! + rows * gap * gap;
    }
  }
  return error;
}

export interface Solution {
  /** [groups, outputs, inputs] */
  readonly matrix: Float64Array;
  /** Mean of the wanted output less that of the new matrix: the new bias. Zero if not centred. */
  readonly offset: Float64Array;
  /** Σ (wanted − output)² as a share of the wanted output's variance, before and after. */
  readonly before: number;
  readonly after: number;
  /** The largest damping that was needed; more than asked for where Cholesky failed. */
  readonly damping: number;
  /** Mean and sum of squared deviations of what the layer puts out with its weights as they were, without its bias. */
  readonly statistics?: { readonly mean: Float64Array; readonly squares: Float64Array };
}

/** Tenfold dampings after which a layer stays as it is. */
const attempts = 8;

/**
 * Joint least squares on the kept inputs of a layer: min ‖y − W' x − b'‖² + λ ‖W' − W‖², for the wanted output y and
 * the inputs x that the pruned model has. For one and the same x before and after this is joint optimal brain surgery
 * on the removed columns, W' = W_K + W_P H_PK (H_KK + λI)⁻¹ (Hassibi and Stork, "Second order derivatives for network
 * pruning: Optimal Brain Surgeon", 1993; Frantar and Alistarh, "Optimal Brain Compression", 2022).
 *
 * @param weights W restricted to what is kept: [groups, outputs, inputs]
 * @param bias of the layer, by group and output
 */
export async function solveLayer(
  moments: SecondMoments,
  weights: Float64Array,
  bias: Float64Array,
  options: SolveOptions,
): Promise<Solution> {
  const { groups, inputs, outputs, rows } = moments;
  const matrix = weights.slice();
  const offset = new Float64Array(groups * outputs);
  const error = { before: 0, after: 0, wanted: 0, damping: options.damping };
  for (let g = 0; g < groups; g++) {
    const [x0, y0, w0] = [g * inputs, g * outputs, g * outputs * inputs];
    const group = groupOf(moments, g, options.centred);
    const w = weights.subarray(w0, w0 + outputs * inputs);
    const gap = await options.product(w, group.xx, outputs, inputs, inputs);
    let before = 0;
    for (let i = 0; i < w.length; i++) {
      const product = gap[i]!;
      gap[i] = group.yx[i]! - product;
      before -= w[i]! * (group.yx[i]! + gap[i]!);
    }
    for (let r = 0; r < outputs; r++) {
      error.wanted += moments.yy[y0 + r]!;
      before += group.yy[r]!;
    }
    const { delta, gain, damping } = await correction(group.xx, gap.slice(), gap, inputs, options);
    error.damping = Math.max(error.damping, damping);
    for (let i = 0; i < delta.length; i++) matrix[w0 + i]! += delta[i]!;
    let shift = 0;
    for (let r = 0; r < outputs; r++) {
      let [old, now] = [moments.yMean[y0 + r]!, moments.yMean[y0 + r]!];
      for (let j = 0; j < inputs; j++) {
        old -= w[r * inputs + j]! * moments.xMean[x0 + j]!;
        now -= matrix[w0 + r * inputs + j]! * moments.xMean[x0 + j]!;
      }
      if (!options.centred) continue;
      offset[y0 + r] = now;
      shift += rows * (old - bias[y0 + r]!) ** 2;
    }
    error.before += before + shift;
    error.after += before - gain;
  }
  const share = (value: number): number => (error.wanted > 0 ? Math.max(0, value) / error.wanted : 0);
  return {
    matrix,
    offset,
    before: share(error.before),
    after: share(error.after),
    damping: error.damping,
  };
}

interface GroupMoments {
  readonly xx: Float64Array;
  readonly yx: Float64Array;
  readonly yy: Float64Array;
}

/** The moments of one group, about the means or about zero. */
function groupOf(moments: SecondMoments, g: number, centred: boolean): GroupMoments {
  const { inputs, outputs, rows } = moments;
  const xx = moments.xx.subarray(g * inputs * inputs, (g + 1) * inputs * inputs);
  const yx = moments.yx.subarray(g * outputs * inputs, (g + 1) * outputs * inputs);
  const yy = moments.yy.subarray(g * outputs, (g + 1) * outputs);
  if (centred) return { xx, yx, yy };
  const xMean = moments.xMean.subarray(g * inputs, (g + 1) * inputs);
  const yMean = moments.yMean.subarray(g * outputs, (g + 1) * outputs);
  const raw = (sums: Float64Array, left: Float64Array): Float64Array =>
    sums.map((sum, i) => sum + rows * left[Math.floor(i / inputs)]! * xMean[i % inputs]!);
  return { xx: raw(xx, xMean), yx: raw(yx, yMean), yy: yy.map((sum, r) => sum + rows * yMean[r]! ** 2) };
}

interface Correction {
  readonly delta: Float64Array;
  /** By how much the squared error shrinks. */
  readonly gain: number;
  readonly damping: number;
}

/** gap (xx + λI)⁻¹, with ten times the damping for as long as Cholesky fails. */
async function correction(
  xx: Float64Array,
  rightSide: Float64Array,
  gap: Float64Array,
  size: number,
  { damping: asked, product }: SolveOptions,
): Promise<Correction> {
  let trace = 0;
  for (let i = 0; i < size; i++) trace += xx[i * size + i]!;
  const none = { delta: new Float64Array(gap.length), gain: 0, damping: asked };
  if (!(trace > 0)) return none;
  let damping = asked;
  for (let attempt = 0; attempt < attempts; attempt++, damping *= 10) {
    const lambda = (damping * trace) / size;
    const damped = xx.slice();
    for (let i = 0; i < size; i++) damped[i * size + i]! += lambda;
    const factor = await cholesky(damped, size, product);
    if (!factor) continue;
    const delta = await solveRows(factor, rightSide, gap.length / size, product);
    let gain = 0;
    for (let i = 0; i < delta.length; i++) gain += delta[i]! * gap[i]! + lambda * delta[i]! ** 2;
    return { delta, gain, damping };
  }
  return { ...none, damping };
}
