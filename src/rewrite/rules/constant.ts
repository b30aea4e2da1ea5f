import type { RewriteRules } from '../rule.js';

export const constant: RewriteRules = {
  ConstantOfShape: {
    reads: ['input'],
    change: (op) => ({ ints: { input: op.output().map(({ after }) => after) } }),
  },
};
