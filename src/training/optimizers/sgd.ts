import { PruneError } from '../../errors.js';
import type { Optimizer } from './optimizer.js';

export interface SgdOptions {
  /** Default 0.9; 0 for none. */
  readonly momentum?: number | undefined;
  /** Looks ahead (Sutskever et al., "On the importance of initialization and momentum", 2013). Default false. */
  readonly nesterov?: boolean | undefined;
}

/**
 * Stochastic gradient descent with momentum, as PyTorch has it: g ← g + decay·w, v ← momentum·v + g (v ← g at the first
 * step), w ← w − rate·v, or w ← w − rate·(g + momentum·v) for Nesterov's.
 * @throws PruneError `invalid-option` for a momentum that isn't at least 0 and below 1
 */
export function sgd({ momentum = 0.9, nesterov = false }: SgdOptions = {}): Optimizer {
  if (!(momentum >= 0 && momentum < 1))
    throw new PruneError('invalid-option', `invalid momentum: ${momentum}; give at least 0 and less than 1`);
  return {
    name: 'sgd',
    slots: momentum === 0 ? 0 : 1,
    step(values, gradient, [velocity], { learningRate, decay }) {
      for (let i = 0; i < values.length; i++) {
        const w = values[i]!;
        let change = gradient[i]! + decay * w;
        if (velocity) {
          // Velocities begin at zero, so the first step needs no case of its own.
          const v = momentum * velocity[i]! + change;
          velocity[i] = v;
          change = nesterov ? change + momentum * v : v;
        }
        values[i] = w - learningRate * change;
      }
    },
  };
}
