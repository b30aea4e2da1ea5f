import { defineCriterion } from './criterion.js';

/** Root mean square of the channel's values where weights read it. Groups that no weight contracts are not scored. */
export const activation = defineCriterion({
  name: 'activation',
  needs: ['activations'],
  score: ({ activations }) =>
    activations.length === 0
      ? undefined
      : activations.map(({ mean, variance }) =>
          variance.map((v, channel) => Math.sqrt(v + mean[channel]! ** 2)),
        ),
});
