import { copyValues } from '../values.js';
import { scaleChannels } from './channels.js';
import type { RecipeMaker } from './recipe.js';

export interface AnnealingOptions {
  /** Chance of a masked channel to be there at first. Default 0.5. */
  readonly first?: number | undefined;
  /** Part of training after which masked channels are gone. Default 0.5. */
  readonly until?: number | undefined;
  /** How the chance falls. Default `cosine`. */
  readonly curve?: 'linear' | 'cosine' | undefined;
}

/** The chance of a masked channel to be there at a point of training. */
export function presence(
  share: number,
  { first = 0.5, until = 0.5, curve = 'cosine' }: AnnealingOptions = {},
): number {
  const t = Math.min(1, share / until);
  return first * (curve === 'linear' ? 1 - t : (1 + Math.cos(Math.PI * t)) / 2);
}

/**
 * Stochastic subnetwork annealing (Whitaker and Whitley, "Stochastic Subnetwork Annealing: A Regularization Technique for
 * Fine Tuning Pruned Subnetworks", 2024): each channel that is to go is there with some chance, drawn anew for each batch;
 * the chance falls to 0 over the first part of training, so that the rest learns to do without, little by little.
 */
export function annealing(options: AnnealingOptions = {}): RecipeMaker {
  return ({ groups, chosen }) => ({
    forward({ values, step, steps, random }) {
      const chance = presence(step / steps, options);
      const copy = copyValues(values);
      for (const own of groups) {
        const keep = chosen.get(own.group);
        if (keep) scaleChannels(own, copy, Float64Array.from(keep, (bit) => (bit === 1 || random() < chance ? 1 : 0))); // prettier-ignore
      }
      return copy;
    },
    finish: () => Promise.resolve(chosen),
  });
}
