import { PruneError } from '../../errors.js';
import type { Optimizer } from './optimizer.js';

export interface AdamWOptions {
  /** Decay of the means of the gradient and of its square. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number] | undefined;
  /** Added to the root of the mean square. Default 1e-8. */
  readonly epsilon?: number | undefined;
}

/**
 * AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019): w ← w − rate·decay·w, then
 * m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w − rate · m̂ / (√v̂ + ε) with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).
 * @throws PruneError `invalid-option` for betas that aren't at least 0 and below 1, or an epsilon that isn't positive
 */
export function adamw({ betas = [0.9, 0.999], epsilon = 1e-8 }: AdamWOptions = {}): Optimizer {
  const [beta1, beta2] = betas;
  if (!betas.every((beta) => beta >= 0 && beta < 1))
    throw new PruneError('invalid-option', `invalid betas: ${betas.join(', ')}; give at least 0 and less than 1`); // prettier-ignore
  if (!(epsilon > 0))
    throw new PruneError('invalid-option', `invalid epsilon: ${epsilon}; give a positive number`);
  return {
    name: 'adamw',
    slots: 2,
    step(values, gradient, [means, squares], { learningRate, decay, step }) {
      const shrink = 1 - learningRate * decay;
      const rate = learningRate / (1 - beta1 ** step);
      const root = Math.sqrt(1 - beta2 ** step);
      for (let i = 0; i < values.length; i++) {
        const g = gradient[i]!;
        const m = beta1 * means![i]! + (1 - beta1) * g;
        const v = beta2 * squares![i]! + (1 - beta2) * g * g;
        means![i] = m;
        squares![i] = v;
        values[i] = shrink * values[i]! - (rate * m) / (Math.sqrt(v) / root + epsilon);
      }
    },
  };
}
