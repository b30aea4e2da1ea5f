import { defineCriterion } from './criterion.js';
import { withRoles } from '../members/measured.js';

/**
 * θ·Hg: channels whose removal would lower the norm of the gradient go first (the paper removes the highest −θ·Hg).
 * Wang et al., "Picking Winning Tickets Before Training by Preserving Gradient Flow", 2020. Scores have either sign, so
 * they are normalised to zero mean and unit deviation.
 */
export const grasp = defineCriterion({
  name: 'grasp',
  needs: ['curvature'],
  normalization: 'gaussian',
  score: ({ curvature }) =>
    withRoles(curvature, 'produce', 'contract', 'batch', 'scale').map(({ signed }) => signed),
});

/** abs(θ·Hg): the change of the gradient's norm either way. Rachwan et al., "Winning the Lottery Ahead of Time", 2022. */
export const crop = defineCriterion({
  name: 'crop',
  needs: ['curvature'],
  score: ({ curvature }) =>
    withRoles(curvature, 'produce', 'contract', 'batch', 'scale').map(({ absolute }) => absolute),
});
