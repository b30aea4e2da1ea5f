import { opsIn } from '../../ops/index.js';
import { NoRelation, ruleFor, type AxisRules } from '../rule.js';

const blocked = (ops: string, why: string): AxisRules =>
  ruleFor(ops, () => {
    throw new NoRelation(why);
  });

/** Ops whose axes can't be related, each with the reason that a user sees. */
export const opaque: AxisRules = {
  ...blocked(
    opsIn('random').join(' '),
    'random values are drawn in order, so that a smaller shape draws others',
  ),
  ...blocked('NonZero Unique', 'what comes out depends on the data'),
  ...blocked('NonMaxSuppression', 'boxes are chosen by their scores'),
  ...blocked('EyeLike AffineGrid', 'its values are made from positions'),
  ...blocked('MaxUnpool', 'its indices count positions over all channels'),
  ...blocked('BlackmanWindow HammingWindow HannWindow MelWeightMatrix', 'its values follow from a size'),
  ...blocked(opsIn('loss').join(' '), 'labels point into the classes'),
  ...blocked(
    `SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap
     SplitToSequence ConcatFromSequence`,
    'a sequence holds tensors of any shape',
  ),
  ...blocked('Optional OptionalGetElement OptionalHasElement', 'an optional may hold nothing'),
  ...blocked(opsIn('text').join(' '), 'it works on text or encoded images'),
};
