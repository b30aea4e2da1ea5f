import { intAttribute } from '../../onnx/attributes.js';
import { keptBlocks, type RewriteRules } from '../rule.js';

export const normalization: RewriteRules = {
  GroupNormalization: {
    reads: [],
    change: (op) => ({
      int: { num_groups: keptBlocks(op.input(0)[1]!, intAttribute(op.node, 'num_groups', 1)) },
    }),
  },
};
