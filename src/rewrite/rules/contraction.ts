import { intAttribute } from '../../onnx/attributes.js';
import { keptBlocks, type RewriteRule, type RewriteRules } from '../rule.js';

/** The groups of a convolution are the outer factor of its input channels `(g ci)`. */
export const grouped: RewriteRule = {
  reads: [],
  change(op) {
    const group = intAttribute(op.node, 'group', 1);
    return group === 1 ? {} : { int: { group: keptBlocks(op.input(0)[1]!, group) } };
  },
};

export const contraction: RewriteRules = {
  Conv: grouped,
  ConvTranspose: grouped,
  DeformConv: grouped,
  ConvInteger: grouped,
  QLinearConv: grouped,
};
