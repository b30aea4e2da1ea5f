import { ruleFor, type GradientRules } from '../rule.js';

/** Ops that are flat wherever they are smooth, or whose results are no numbers of the model: nothing flows back. */
export const constant: GradientRules = ruleFor(
  `Shape Size ConstantOfShape Range Constant ArgMax ArgMin NonZero OneHot EyeLike
   Ceil Floor Round Sign Not And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual IsInf IsNaN
   BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BitShift NonMaxSuppression`,
  () => [],
);
