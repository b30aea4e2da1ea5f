import { channelNorms, scaleChannels } from './channels.js';
import { factorsOf, type Keeps, type RecipeMaker } from './recipe.js';

export interface GradualOptions {
  /** Part of training after which nothing more goes. Default 0.7. */
  readonly until?: number | undefined;
  /** How often channels go on the way. Default 20. */
  readonly times?: number | undefined;
}

/**
 * Gradual pruning (Zhu and Gupta, "To Prune, or Not to Prune", 2017): the share that is removed follows
 * s_t = s_f · (1 − (1 − t/T)³), in steps; at each the norms of the weights are taken anew, and channels that have gone are
 * zero from then on.
 */
export function gradual({ until = 0.7, times = 20 }: GradualOptions = {}): RecipeMaker {
  return ({ groups, choose }) => {
    let keeps: Keeps = new Map();
    let done = 0;
    return {
      async gradients(_, { values, step, steps }) {
        const due = Math.min(times, Math.floor((step / steps / until) * times) + 1);
        if (due === done) return;
        done = due;
        // Norms relative to the group's mean, as for magnitudes; what has gone is zero and goes first.
        const scores = new Map(
          groups.map((own) => {
            const norms = channelNorms(own, values);
            const mean = norms.reduce((a, b) => a + b, 0) / norms.length || 1;
            return [own.group, norms.map((norm) => norm / mean)];
          }),
        );
        keeps = await choose(scores, 1 - (1 - done / times) ** 3);
      },
      project({ values }) {
        for (const own of groups) {
          const keep = keeps.get(own.group);
          if (keep) scaleChannels(own, values, factorsOf(keep, 1, 0));
        }
      },
      finish: () => Promise.resolve(keeps),
    };
  };
}
