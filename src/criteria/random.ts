import { randomGenerator } from '../random/random.js';
import { defineCriterion } from './criterion.js';

/** Uniform in [0, 1), the same for the same seed and group: the baseline that a criterion has to beat. */
export const random = defineCriterion({
  name: 'random',
  needs: ['seed'],
  normalization: 'none',
  score: ({ group, seed }) => {
    const next = randomGenerator(`${seed}:${group.id}`);
    return Float64Array.from({ length: group.size }, next);
  },
});
