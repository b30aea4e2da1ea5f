import type { CostContext, CostRules, Price } from '../rule.js';

/** Every step and sequence multiplies once with the input weights and once with the recurrent ones. */
function recurrentCost(op: CostContext): Price {
  // Steps and sequences in either layout.
  const steps = op.input(0).slice(0, 2);
  return {
    terms: [
      [...steps, ...op.input(1)],
      [...steps, ...op.input(2)],
    ],
    operands: [1, 2],
  };
}

export const recurrent: CostRules = { LSTM: recurrentCost, GRU: recurrentCost, RNN: recurrentCost };
