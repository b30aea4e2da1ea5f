import { mergeFamilies } from '../../onnx/op-table.js';
import type { GradientRule, GradientRules } from '../rule.js';
import { constant } from './constant.js';
import { contraction } from './contraction.js';
import { elementwise } from './elementwise.js';
import { indexing } from './indexing.js';
import { movement } from './movement.js';
import { normalization } from './normalization.js';
import { pooling } from './pooling.js';
import { recurrent } from './recurrent.js';
import { reduction } from './reduction.js';

export const gradientRuleFamilies: Readonly<Record<string, GradientRules>> = {
  elementwise,
  contraction,
  normalization,
  pooling,
  reduction,
  movement,
  indexing,
  recurrent,
  constant,
};

/** All rules, by op type of the default domain. */
export const gradientRules: ReadonlyMap<string, GradientRule> = mergeFamilies(
  'gradient',
  gradientRuleFamilies,
);
