import { intAttribute } from '../../onnx/attributes.js';
import { keptBlocks, type RewriteRules } from '../rule.js';
import { grouped } from './contraction.js';

export const fused: RewriteRules = {
  'com.microsoft::FusedConv': grouped,
  'com.microsoft::NhwcConv': {
    reads: [],
    change(op) {
      const group = intAttribute(op.node, 'group', 1);
      return group === 1 ? {} : { int: { group: keptBlocks(op.input(0).at(-1)!, group) } };
    },
  },
  'com.microsoft::MatMulNBits': {
    reads: [],
    change: (op) => ({ int: { K: op.input(0).at(-1)!.after, N: op.input(1)[0]!.after } }),
  },
};
