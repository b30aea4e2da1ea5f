import { intAttribute } from '../../onnx/attributes.js';
import { attribute, type Relation, type Role } from '../relation.js';
import type { AxisRule, AxisRules, OpContext } from '../rule.js';

const weight: readonly Role[] = ['batch', 'produce', 'contract'];

/** Gates stack copies of the hidden axis, so one index of `h` is a row of every gate. Directions share `h`. */
const recurrentRule =
  (gates: number): AxisRule =>
  (op: OpContext): Relation => {
    const batchFirst = intAttribute(op.node, 'layout', 0) === 1;
    const state = batchFirst ? 'n #d h' : '#d n h';
    const operands = [
      batchFirst ? 'n #s i' : '#s n i',
      `#d (${gates} h) i`,
      `#d (${gates} h) h`,
      `#d (${2 * gates} h)`,
      '_', // sequence_lens
      state, // initial_h
      state, // initial_c
      '#d (3 h)', // peepholes
    ];
    const inputs = operands.slice(0, op.inputCount);
    const outputs = [batchFirst ? 'n #s #d h' : '#s #d n h', state, state].slice(0, op.outputCount);
    return {
      notation: `${inputs.join(', ')} -> ${outputs.join(', ')}`,
      sizes: { h: attribute('hidden_size') },
      // Every step multiplies once with the input weights and once with the recurrent ones.
      multiplies: { terms: [`s n d (${gates} h) i`, `s n d (${gates} h) h`], inputs: [1, 2] },
      roles: [
        [undefined, undefined, 'contract'],
        weight,
        weight,
        'shift',
        undefined,
        undefined,
        undefined,
        'scale',
      ],
      why: 'steps and directions stay',
    };
  };

export const recurrent: AxisRules = {
  LSTM: recurrentRule(4),
  GRU: recurrentRule(3),
  RNN: recurrentRule(1),
};
