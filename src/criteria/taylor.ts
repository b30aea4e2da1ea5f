import { defineCriterion } from './criterion.js';
import { withRoles, type MemberSensitivity } from './sensitivity.js';

/** Both sides of the coupling and scales, as for magnitudes; biases and running statistics don't count. */
const weighed = (members: readonly MemberSensitivity[]) =>
  withRoles(members, 'produce', 'contract', 'batch', 'scale');

/**
 * (Σ g·w)² over each channel's slice, squared per minibatch and averaged: the squared change of the loss when the slice
 * goes. Molchanov et al., "Importance Estimation for Neural Network Pruning", 2019.
 */
export const taylor = defineCriterion({
  name: 'taylor',
  needs: ['gradients'],
  score: ({ gradients }) => weighed(gradients).map(({ squared }) => squared),
});

/** Σ abs(g·w) over each channel's slice, averaged over minibatches. */
export const taylorAbs = defineCriterion({
  name: 'taylor-abs',
  needs: ['gradients'],
  score: ({ gradients }) => weighed(gradients).map(({ absolute }) => absolute),
});

/** (∂L/∂z)² of a gate on each channel, equal to (γ·g_γ + β·g_β)² on a BatchNormalization. Molchanov et al., 2019. */
export const taylorGate = defineCriterion({
  name: 'taylor-gate',
  needs: ['gates'],
  score: ({ gates }) => (gates.length > 0 ? gates : undefined),
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
