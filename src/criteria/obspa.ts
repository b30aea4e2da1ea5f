import { defineCriterion, type CriterionResult } from './criterion.js';
import { defaultMagnitude } from './magnitude.js';
import { aggregate, normalize } from './scheme.js';
import { usualDrift, type MemberDrift, type MemberHessian } from '../members/measured.js';

/** Multiplications of downdates (columns² × removed columns) up to which channels are picked one by one. */
const greedyWork = 5e9;

/**
 * Optimal brain surgery at the level of groups: what the squared error of the layers that read a channel grows by,
 * at least, if the channel goes and all other weights make up for it: Σ over rows of w_B [(H⁻¹)_BB]⁻¹ w_Bᵀ for the
 * columns B of the channel, summed over layers as shares of their output's variance. Channels are removed one after
 * the other, the cheapest first, with H⁻¹ −= H⁻¹_:B [(H⁻¹)_BB]⁻¹ H⁻¹_B: and the weights after each; where that takes too
 * long, all are scored at once. To a channel's loss its share of the group's magnitude, squared, is added, on the scale of
 * the losses: calibration data is never all that a model will see, and channels that are silent on it may still matter.
 * Where normalisations have recorded that a channel varied more in training than it does on the data, it counts as many
 * times more. Groups that something else sums over too (queries and keys) or that no such layer reads are scored by what
 * their basis says, or else by magnitude, also as shares. Kurtic, Frantar and Alistarh, "ZipLM", 2023; Wang et al.,
 * "Structurally Prune Anything" (OBSPA), 2024.
 */
export const obspa = defineCriterion({
  name: 'obspa',
  needs: ['hessians', 'drift', 'basisLosses', 'weights'],
  isComparable: true,
  aggregation: 'sum',
  normalization: 'none',
  score: (context) => {
    const { hessians, group, drift, basisLosses } = context;
    const shares = squaredShares(defaultMagnitude.score(context));
    if (hessians.length === 0) return basisLosses ?? shares;
    const losses = removalLosses(hessians, group.size);
    const total = losses.reduce((sum, loss) => sum + loss, 0);
    const factors = driftFactors(drift, group.size);
    const weighed = (weight: number): Float64Array =>
      losses.map((loss, c) => (loss + weight * total * (shares?.[c] ?? 0)) * factors[c]!);
    return inOrderOf(weighed(prior.order), weighed(prior.cost));
  },
});

/**
 * How much magnitudes count beside the losses measured: they come to this share of them. More in the order in which
 * channels go than in what that costs, by which groups are weighed against each other.
 */
const prior = { order: 0.1, cost: 0.01 };

/** By how much channels count more than the data says, on average over those that recorded them. */
function driftFactors(drift: readonly MemberDrift[], size: number): Float64Array {
  if (drift.length === 0) return new Float64Array(size).fill(1);
  const factors = new Float64Array(size);
  for (const { recorded, measured } of drift) {
    // Channels that are dead in training too stay as they are.
    const least = (1e-3 * recorded.reduce((a, b) => a + b, 0)) / recorded.length;
    for (let channel = 0; channel < size; channel++) {
      const ratio = least > 0 ? (recorded[channel]! + least) / (measured[channel]! + least) : 1;
      factors[channel]! += Math.max(1, ratio / usualDrift) / drift.length;
    }
  }
  return factors;
}

/** The costs, from the least, given to channels in the order of their ranks. */
function inOrderOf(ranks: Float64Array, costs: Float64Array): Float64Array {
  const sorted = costs.toSorted();
  const out = new Float64Array(costs.length);
  const order = ranks.map((_, channel) => channel).sort((a, b) => ranks[a]! - ranks[b]!);
  order.forEach((channel, i) => (out[channel] = sorted[i]!));
  return out;
}

/** Squared magnitudes as shares of the group's: like losses, they come to 1 if everything goes. */
function squaredShares(magnitudes: CriterionResult): Float64Array | undefined {
  const slices = (magnitudes ?? []) as readonly ArrayLike<number>[];
  if (slices.length === 0) return undefined;
  return normalize(
    aggregate(slices, 'mean').map((magnitude) => magnitude ** 2),
    'sum',
  );
}

/** What each channel costs when its turn comes; never less than what went before it. */
export function removalLosses(hessians: readonly MemberHessian[], size: number): Float64Array {
  const work = hessians.reduce((sum, { channels }) => sum + channels.length ** 3, 0);
  const isGreedy = work <= greedyWork;
  const layers = hessians.map((hessian) => new Surgery(hessian, size, isGreedy));
  const losses = new Float64Array(size);
  const costs = (channel: number): number => layers.reduce((sum, layer) => sum + layer.loss(channel), 0);
  if (!isGreedy) return losses.map((_, channel) => costs(channel));
  const left = new Set(losses.keys());
  let highest = 0;
  while (left.size > 0) {
    let best = -1;
    let least = Infinity;
    for (const channel of left) {
      const cost = costs(channel);
      if (cost < least || best < 0) [best, least] = [channel, cost];
    }
    highest = Math.max(highest, least);
    losses[best] = highest;
    left.delete(best);
    for (const layer of layers) layer.remove(best);
  }
  return losses;
}

/** One layer's weights and inverse, as channels go. */
class Surgery {
  private readonly columnsOf: readonly Int32Array[];
  private readonly inverse: Float64Array;
  private readonly weights: Float64Array;
  private readonly width: number;

  constructor(
    private readonly hessian: MemberHessian,
    size: number,
    isGreedy: boolean,
  ) {
    const lists = Array.from({ length: size }, (): number[] => []);
    hessian.channels.forEach((channel, column) => lists[channel]?.push(column));
    this.columnsOf = lists.map((list) => Int32Array.from(list));
    this.inverse = isGreedy ? hessian.inverse.slice() : hessian.inverse;
    this.weights = isGreedy ? hessian.weights.slice() : hessian.weights;
    this.width = hessian.channels.length;
  }

  loss(channel: number): number {
    const columns = this.columnsOf[channel]!;
    const solved = this.solved(columns);
    let loss = 0;
    for (let r = 0; r < this.hessian.outputs; r++)
      for (let i = 0; i < columns.length; i++)
        loss += this.weights[r * this.width + columns[i]!]! * solved[r * columns.length + i]!;
    return loss;
  }

  remove(channel: number): void {
    const columns = this.columnsOf[channel]!;
    const { width, inverse, weights } = this;
    const solved = this.solved(columns);
    // Rows of H⁻¹_B:, copied since they change below.
    const rows = Float64Array.from(
      { length: columns.length * width },
      (_, i) => inverse[columns[Math.floor(i / width)]! * width + (i % width)]!,
    );
    const scaled = solveSymmetric(this.block(columns), columns.length, rows, width);
    for (let r = 0; r < this.hessian.outputs; r++)
      for (let i = 0; i < columns.length; i++) {
        const factor = solved[r * columns.length + i]!;
        if (factor === 0) continue;
        for (let j = 0; j < width; j++) weights[r * width + j]! -= factor * rows[i * width + j]!;
      }
    for (let k = 0; k < width; k++)
      for (let i = 0; i < columns.length; i++) {
        const factor = rows[i * width + k]!;
        if (factor === 0) continue;
        for (let j = 0; j < width; j++) inverse[k * width + j]! -= factor * scaled[i * width + j]!;
      }
    // A unit diagonal keeps later blocks solvable, should they touch removed columns.
    for (const column of columns) {
      for (let j = 0; j < width; j++) inverse[column * width + j] = inverse[j * width + column] = 0;
      inverse[column * width + column] = 1;
      for (let r = 0; r < this.hessian.outputs; r++) weights[r * width + column] = 0;
    }
  }

  /** w_B [(H⁻¹)_BB]⁻¹ for each row: [outputs, |B|] */
  private solved(columns: Int32Array): Float64Array {
    const { outputs } = this.hessian;
    const size = columns.length;
    const right = new Float64Array(size * outputs);
    for (let i = 0; i < size; i++)
      for (let r = 0; r < outputs; r++) right[i * outputs + r] = this.weights[r * this.width + columns[i]!]!;
    const solved = solveSymmetric(this.block(columns), size, right, outputs);
    const out = new Float64Array(right.length);
    for (let i = 0; i < size; i++)
      for (let r = 0; r < outputs; r++) out[r * size + i] = solved[i * outputs + r]!;
    return out;
  }

  private block(columns: Int32Array): Float64Array {
    const size = columns.length;
    const out = new Float64Array(size * size);
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++)
        out[i * size + j] = this.inverse[columns[i]! * this.width + columns[j]!]!;
    return out;
  }
}

/** A⁻¹ B for a small positive definite A [size, size], which is overwritten, and B [size, count], which is not. */
function solveSymmetric(a: Float64Array, size: number, b: Float64Array, count: number): Float64Array {
  const out = b.slice();
  for (let j = 0; j < size; j++) {
    const pivot = a[j * size + j]!;
    for (let i = j + 1; i < size; i++) {
      const factor = a[i * size + j]! / pivot;
      if (factor === 0) continue;
      for (let k = j + 1; k < size; k++) a[i * size + k]! -= factor * a[j * size + k]!;
      for (let k = 0; k < count; k++) out[i * count + k]! -= factor * out[j * count + k]!;
    }
  }
  for (let j = size - 1; j >= 0; j--) {
    for (let i = j + 1; i < size; i++) {
      const factor = a[j * size + i]!;
      for (let k = 0; k < count; k++) out[j * count + k]! -= factor * out[i * count + k]!;
    }
    const pivot = a[j * size + j]!;
    for (let k = 0; k < count; k++) out[j * count + k]! /= pivot;
  }
  return out;
}
