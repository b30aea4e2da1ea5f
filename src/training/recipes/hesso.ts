import { scaleChannels } from './channels.js';
import { IndispensableChannels } from './cric.js';
import { hessoScores } from './saliency.js';
import type { ChannelScores, Keeps, RecipeMaker } from './recipe.js';

export interface HessoOptions {
  /** Part of training before anything goes. Default 0.1. */
  readonly warmUp?: number | undefined;
  /** Part of training after which all that goes is zero. Default 0.7. */
  readonly until?: number | undefined;
  /** In how many periods channels go. Default 5. */
  readonly periods?: number | undefined;
  /** Whether channels whose score grows on the way to zero are protected (CRIC). Default false. */
  readonly cric?: boolean | undefined;
}

/**
 * HESSO (Chen et al., "HESSO: Towards Automatic Efficient and User Friendly Any Neural Network Training and Pruning",
 * 2024): a hybrid of steps. After a warm-up, P periods: at the start of each, the channels with the lowest saliency join
 * the redundant ones. Within a period of T steps these take the optimizer's step and are then scaled by
 * (T − t) / (T − t + 1) at its step t, so that what they know is forgotten progressively and they are exactly zero at the
 * period's end; all others train as usual. In the end redundant channels are zero, and slicing them changes nothing.
 */
export function hesso(options: HessoOptions = {}): RecipeMaker {
  const { warmUp = 0.1, until = 0.7, periods = 5, cric = false } = options;
  return ({ groups, choose }) => {
    let keeps: Keeps = new Map();
    let gone: Keeps = new Map();
    let period = 0;
    const guarded = cric ? new IndispensableChannels(groups) : undefined;
    /** Steps of a period, and the first of the running one. */
    const timing = (steps: number): { readonly length: number; readonly start: number } => {
      const length = Math.max(1, Math.floor(((until - warmUp) * steps) / periods));
      return { length, start: Math.floor(warmUp * steps) + (period - 1) * length };
    };
    return {
      async gradients(gradients, moment) {
        const { length, start } = timing(moment.steps);
        if (period === periods || moment.step < start + length) return;
        // What was forgotten in the last period stays so.
        gone = keeps;
        period++;
        const scores = withLowest(hessoScores(groups, moment.values, gradients), gone);
        const find = (allowed: ChannelScores): Promise<Keeps> => choose(allowed, period / periods);
        keeps = guarded ? await guarded.choose(scores, find, gradients, moment) : await find(scores);
      },
      project({ values, step, steps }) {
        const { length, start } = timing(steps);
        const left = Math.max(0, length - 1 - (step - start));
        for (const own of groups) {
          const [now, before] = [keeps.get(own.group), gone.get(own.group)];
          if (!now) continue;
          const factor = left / (left + 1);
          scaleChannels(own, values, Float64Array.from(now, (bit, c) => (bit === 1 ? 1 : before?.[c] === 0 ? 0 : factor))); // prettier-ignore
        }
      },
      finish: () => Promise.resolve(keeps),
    };
  };
}

/** Scores in which what has gone is lower than all others. */
export function withLowest(scores: ChannelScores, gone: Keeps): ChannelScores {
  return new Map(
    [...scores].map(([group, own]) => [group, own.map((score, c) => (gone.get(group)?.[c] === 0 ? -1e30 : score))]), // prettier-ignore
  );
}
