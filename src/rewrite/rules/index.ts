import { mergeFamilies } from '../../onnx/op-table.js';
import type { RewriteRule } from '../rule.js';
import { attention } from './attention.js';
import { constant } from './constant.js';
import { indexing } from './indexing.js';
import { movement } from './movement.js';

/** The ops that hold sizes which their relation can't tell: lists, bounds, and what stands there only if need be. */
export const rewriteRules: ReadonlyMap<string, RewriteRule> = mergeFamilies('rewrite', {
  movement,
  indexing,
  constant,
  attention,
});
