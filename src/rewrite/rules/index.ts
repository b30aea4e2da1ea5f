import { mergeFamilies } from '../../onnx/op-table.js';
import type { RewriteRule } from '../rule.js';
import { attention } from './attention.js';
import { constant } from './constant.js';
import { contraction } from './contraction.js';
import { fused } from './fused.js';
import { indexing } from './indexing.js';
import { movement } from './movement.js';
import { normalization } from './normalization.js';
import { recurrent } from './recurrent.js';

/** The ops that hold sizes in attributes or shape operands. */
export const rewriteRules: ReadonlyMap<string, RewriteRule> = mergeFamilies('rewrite', {
  contraction,
  normalization,
  movement,
  indexing,
  recurrent,
  constant,
  attention,
  fused,
});
