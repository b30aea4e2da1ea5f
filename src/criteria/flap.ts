import { defineCriterion } from './criterion.js';
import { normalize } from './scheme.js';
import { powerSums } from '../members/weights.js';

/**
 * Var(X_c) · ‖W_c‖² on each weight that contracts the channel, standardised per layer: what a constant can't stand in
 * for. An et al., "Fluctuation-based Adaptive Structured Pruning for Large Language Models", 2024. Groups that no
 * weight contracts are not scored. The bias that makes up for the mean is a matter of repair, not of the score.
 */
export const flap = defineCriterion({
  name: 'flap',
  needs: ['activations', 'weights'],
  normalization: 'none',
  score: ({ group, activations, weights }) => {
    const slices = activations.flatMap(({ member, variance }) => {
      const own = weights.find((candidate) => candidate.member === member);
      if (!own) return [];
      const norms = powerSums(own, 2, group.size);
      return [normalize(norms.map((norm, channel) => norm * variance[channel]!), 'gaussian')]; // prettier-ignore
    });
    return slices.length > 0 ? slices : undefined;
  },
});
