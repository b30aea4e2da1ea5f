import { defineCriterion } from './criterion.js';
import { withRoles, type MemberSensitivity } from '../members/measured.js';

/** Both sides of the coupling and scales, as for magnitudes; biases and running statistics don't count. */
const weighed = (members: readonly MemberSensitivity[]) =>
  withRoles(members, 'produce', 'contract', 'batch', 'scale');

/**
 * (∂L/∂z)² of a gate on each channel, equal to (γ·g_γ + β·g_β)² on a BatchNormalization: the squared change of the loss
 * when the channel goes, per minibatch, averaged. The gate form of Molchanov et al., "Importance Estimation for Neural
 * Network Pruning", 2019. Better than the weight form in one small comparison (docs/criteria.md), and without gradients of matrices.
 */
export const taylor = defineCriterion({
  name: 'taylor',
  needs: ['gates'],
  score: ({ gates }) => (gates.length > 0 ? gates : undefined),
});

/** The weight form of the same: (Σ g·w)² over each channel's slice of every member, per minibatch, averaged. */
export const taylorWeight = defineCriterion({
  name: 'taylor-weight',
  needs: ['gradients'],
  score: ({ gradients }) => weighed(gradients).map(({ squared }) => squared),
});

/** Σ abs(g·w) over each channel's slice, averaged over minibatches. */
export const taylorAbs = defineCriterion({
  name: 'taylor-abs',
  needs: ['gradients'],
  score: ({ gradients }) => weighed(gradients).map(({ absolute }) => absolute),
});

/** Σ abs(θ·ḡ) with the gradient of the mean loss. Lee et al., "SNIP: Single-shot Network Pruning", 2019. */
export const snip = defineCriterion({
  name: 'snip',
  needs: ['gradients'],
  score: ({ gradients }) => weighed(gradients).map(({ total }) => total),
});

/** Σ (g·w)² per example: the diagonal of the empirical Fisher information. Theis et al., "Faster gaze prediction", 2018. */
export const fisher = defineCriterion({
  name: 'fisher',
  needs: ['exampleGradients'],
  score: ({ exampleGradients }) => weighed(exampleGradients).map(({ elementwise }) => elementwise),
});
