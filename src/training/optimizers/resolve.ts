import { PruneError } from '../../errors.js';
import { adamw } from './adamw.js';
import type { Optimizer } from './optimizer.js';
import { sgd } from './sgd.js';

export const optimizers = { adamw, sgd } as const;

export type OptimizerName = keyof typeof optimizers;

/** @throws PruneError `invalid-option` for an unknown name */
export function resolveOptimizer(spec: OptimizerName | Optimizer = 'adamw'): Optimizer {
  if (typeof spec === 'object') return spec;
  if (Object.hasOwn(optimizers, spec)) return optimizers[spec]();
  throw new PruneError('invalid-option', `unknown optimizer: ${String(spec)}; use one of ${Object.keys(optimizers).join(', ')}`); // prettier-ignore
}
