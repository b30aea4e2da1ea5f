import { PruneError } from '../../errors.js';
import type { RewriteRule, RewriteRules } from '../rule.js';
import { attention } from './attention.js';
import { constant } from './constant.js';
import { contraction } from './contraction.js';
import { fused } from './fused.js';
import { indexing } from './indexing.js';
import { movement } from './movement.js';
import { normalization } from './normalization.js';
import { recurrent } from './recurrent.js';

/** The ops that hold sizes in attributes or shape operands. */
export const rewriteRules: ReadonlyMap<string, RewriteRule> = merge([
  contraction,
  normalization,
  movement,
  indexing,
  recurrent,
  constant,
  attention,
  fused,
]);

function merge(families: readonly RewriteRules[]): Map<string, RewriteRule> {
  const all = new Map<string, RewriteRule>();
  for (const family of families)
    for (const [op, rule] of Object.entries(family)) {
      if (all.has(op)) throw new PruneError('internal', `two rewrite rules for '${op}': keep one`);
      all.set(op, rule);
    }
  return all;
}
