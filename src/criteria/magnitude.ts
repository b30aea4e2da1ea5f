import { defineCriterion, type Criterion } from './criterion.js';
import { withRoles } from '../members/measured.js';
import type { Power } from '../members/sums.js';
import { powerSums } from '../members/weights.js';

/**
 * Σ abs(w)^p over each channel's slice of a member.
 *
 * Both sides of the coupling count, as in DepGraph: weights that produce the channel, weights that contract it,
 * depthwise weights that carry it along (`batch`), and scales. Biases and running statistics don't. A group with none
 * of these (a learned embedding that is only added) is scored by whatever it has.
 */
function magnitude(name: string, p: Power): Criterion<'weights'> {
  return defineCriterion({
    name,
    needs: ['weights'],
    power: p,
    score: ({ group, weights }) =>
      withRoles(weights, 'produce', 'contract', 'batch', 'scale').map((member) =>
        powerSums(member, p, group.size),
      ),
  });
}

/** Sum of absolute values. Li et al., "Pruning Filters for Efficient ConvNets", 2017. */
export const l1 = magnitude('l1', 1);

/** Sum of squares. */
export const l2 = magnitude('l2', 2);

/** The default: `l2`. */
export const defaultMagnitude = magnitude('magnitude', 2);

/** Sum of squares as a share of all sums that are at least as large, so that groups can be ranked together. */
export const lamp = defineCriterion({ ...magnitude('lamp', 2), normalization: 'lamp' });

/**
 * Size of the scale of normalisation layers. Liu et al., "Learning Efficient Convolutional Networks through Network
 * Slimming", 2017. Groups without one (folded at export, say) are not scored.
 */
export const bnScale = defineCriterion({
  name: 'bn-scale',
  needs: ['weights'],
  score: ({ group, weights }) => {
    const scales = weights.filter(({ role }) => role === 'scale');
    return scales.length > 0 ? scales.map((member) => powerSums(member, 1, group.size)) : undefined;
  },
});
