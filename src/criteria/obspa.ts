import { defineCriterion, type CriterionResult } from './criterion.js';
import { defaultMagnitude } from './magnitude.js';
import { aggregate, normalize } from './scheme.js';
import { usualDrift, type MemberDrift, type MemberHessian } from '../members/measured.js';
import { Surgery, surgeryWork } from './surgery.js';

/** Multiplications up to which the channels of a group are picked one by one: some seconds. */
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
  const layers = hessians.map((hessian) => new Surgery(hessian, size));
  const costs = (channel: number): number => layers.reduce((sum, { losses }) => sum + losses[channel]!, 0);
  const losses = new Float64Array(size);
  const work = hessians.reduce((sum, hessian) => sum + surgeryWork(hessian), 0);
  if (work > greedyWork) return losses.map((_, channel) => costs(channel));
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
