import { NoRelation, ruleFor, type AxisRules } from '../rule.js';

const blocked = (ops: string, why: string): AxisRules =>
  ruleFor(ops, () => {
    throw new NoRelation(why);
  });

/** Ops whose axes can't be related, each with the reason that a user sees. */
export const opaque: AxisRules = {
  ...blocked(
    'Bernoulli RandomNormal RandomNormalLike RandomUniform RandomUniformLike Multinomial',
    'random values are drawn in order, so that a smaller shape draws others',
  ),
  ...blocked('NonZero Unique', 'what comes out depends on the data'),
  ...blocked('NonMaxSuppression', 'boxes are chosen by their scores'),
  ...blocked('EyeLike AffineGrid', 'its values are made from positions'),
  ...blocked('MaxUnpool', 'its indices count positions over all channels'),
  ...blocked('BlackmanWindow HammingWindow HannWindow MelWeightMatrix', 'its values follow from a size'),
  ...blocked('NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss', 'labels point into the classes'),
  ...blocked(
    `SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap
     SplitToSequence ConcatFromSequence`,
    'a sequence holds tensors of any shape',
  ),
  ...blocked('Optional OptionalGetElement OptionalHasElement', 'an optional may hold nothing'),
  ...blocked(
    'ImageDecoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer',
    'it works on text or encoded images',
  ),
};
