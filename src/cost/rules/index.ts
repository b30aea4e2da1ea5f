import { mergeFamilies } from '../../onnx/op-table.js';
import type { CostRule, CostRules } from '../rule.js';
import { attention } from './attention.js';
import { contraction } from './contraction.js';
import { fused } from './fused.js';
import { recurrent } from './recurrent.js';

/** By the family names of the axis rules; the ops of all other families multiply and add nothing. */
export const costRuleFamilies: Readonly<Record<string, CostRules>> = {
  contraction,
  recurrent,
  attention,
  fused,
};

/** All rules, by op type (`domain::Op` outside the default domain). */
export const costRules: ReadonlyMap<string, CostRule> = mergeFamilies('cost', costRuleFamilies);
