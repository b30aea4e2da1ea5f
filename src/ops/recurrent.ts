import type { OpEntry, OpFamily, Trait } from './op.js';

const recurrence = (states: string, ...traits: readonly Trait[]): OpEntry => ({
  inputs: `X W R B sequence_lens ${states}`,
  traits: ['contracts', 'recurrent', ...traits],
  operands: { data: 'X', weight: 'W', recurrence: 'R', bias: 'B', lengths: 'sequence_lens' },
});

export const recurrent: OpFamily = {
  RNN: recurrence('initial_h'),
  GRU: recurrence('initial_h', 'resets'),
  LSTM: recurrence('initial_h initial_c P'),
};
