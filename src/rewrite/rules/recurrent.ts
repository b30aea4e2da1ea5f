import type { RewriteRule, RewriteRules } from '../rule.js';

/** The last axis of the recurrent weight is the hidden state. */
const hiddenSize: RewriteRule = {
  reads: [],
  change: (op) => ({ int: { hidden_size: op.input(2)[2]!.after } }),
};

export const recurrent: RewriteRules = { LSTM: hiddenSize, GRU: hiddenSize, RNN: hiddenSize };
