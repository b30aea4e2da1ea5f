import { each, family, type OpFamily } from './op.js';

/** Sequences and optionals, which hold tensors of any shape. */
export const container: OpFamily = family(
  {
    ConcatFromSequence: { inputs: 'input_sequence' },
    SequenceConstruct: { inputs: 'inputs…' },
    SequenceEmpty: {},
    SequenceInsert: { inputs: 'input_sequence tensor position' },
    SequenceLength: { inputs: 'input_sequence' },
    SequenceMap: { inputs: 'input_sequence additional_inputs…' },
    SplitToSequence: { inputs: 'input split', parameters: { split: [[1, 1]] } },
  },
  each('SequenceAt SequenceErase', { inputs: 'input_sequence position' }),
  each('Optional OptionalGetElement OptionalHasElement', { inputs: 'input' }),
);
