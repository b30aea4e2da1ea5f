import type { RewriteRules } from '../rule.js';

export const attention: RewriteRules = {
  'com.microsoft::Attention': {
    reads: [],
    change(op) {
      // Without the list queries, keys and values are equally wide.
      const queries = op.extent('h d');
      const sizes = [queries, queries, op.input(1)[1]!.after - 2 * queries];
      const isGiven = op.node.attributes.has('qkv_hidden_sizes');
      return isGiven || sizes[2] !== queries ? { ints: { qkv_hidden_sizes: sizes } } : {};
    },
  },
};
