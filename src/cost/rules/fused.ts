import type { CostRules } from '../rule.js';
import { contraction } from './contraction.js';

export const fused: CostRules = {
  'com.microsoft::FusedGemm': contraction.Gemm!,
  'com.microsoft::FusedConv': contraction.Conv!,
  'com.microsoft::FusedMatMul': (op) => {
    const transA = op.node.attributes.get('transA');
    const at = transA?.type === 'int' && transA.value !== 0n ? -2 : -1;
    return { terms: [[...op.output(), op.input(0).at(at)!]], operands: [0, 1] };
  },
  // One multiply-add for each weight at each output position, wherever the weights have their channels.
  'com.microsoft::NhwcConv': (op) => ({
    terms: [[...op.output().slice(0, -1), ...op.input(1)]],
    operands: [0, 1],
  }),
  'com.microsoft::QGemm': (op) => {
    const transA = op.node.attributes.get('transA');
    const at = transA?.type === 'int' && transA.value !== 0n ? 0 : 1;
    return { terms: [[...op.output(), op.input(0)[at]!]], operands: [0, 3] };
  },
  'com.microsoft::MatMulIntegerToFloat': contraction.MatMul!,
  'com.microsoft::DynamicQuantizeMatMul': contraction.MatMul!,
  'com.microsoft::MatMulNBits': (op) => ({
    terms: [[...op.output(), op.input(0).at(-1)!]],
    operands: [0, 1],
  }),
};
