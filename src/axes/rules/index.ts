import { mergeFamilies } from '../../onnx/op-table.js';
import type { AxisRule, AxisRules } from '../rule.js';
import { attention } from './attention.js';
import { constant } from './constant.js';
import { contraction } from './contraction.js';
import { elementwise } from './elementwise.js';
import { fusedContraction } from './fused-contraction.js';
import { fused } from './fused.js';
import { indexing } from './indexing.js';
import { movement } from './movement.js';
import { normalization } from './normalization.js';
import { opaque } from './opaque.js';
import { pooling } from './pooling.js';
import { quantization } from './quantization.js';
import { recurrent } from './recurrent.js';
import { reduction } from './reduction.js';
import { rotary } from './rotary.js';

export const axisRuleFamilies: Readonly<Record<string, AxisRules>> = {
  elementwise,
  contraction,
  normalization,
  pooling,
  reduction,
  movement,
  indexing,
  recurrent,
  quantization,
  constant,
  attention: { ...attention, ...rotary },
  fused: { ...fused, ...fusedContraction },
  opaque,
};

/** All rules, by op type (`domain::Op` outside the default domain). */
export const axisRules: ReadonlyMap<string, AxisRule> = mergeFamilies('axis', axisRuleFamilies);
