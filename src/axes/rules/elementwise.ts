import { ruleFor, type AxisRule, type AxisRules, type OpContext } from '../rule.js';
import type { Relation, Role } from '../relation.js';

const pointwise =
  (role?: Role): AxisRule =>
  (op: OpContext): Relation => ({
    notation: `${inputs(op)} -> ${new Array(op.outputCount).fill('…').join(', ')}`,
    ...(role && { roles: new Array<Role>(op.inputCount).fill(role) }),
  });

const inputs = (op: OpContext): string => new Array(op.inputCount).fill('…').join(', ');

/** Each output element depends on the input elements at the same (broadcast) position. */
export const elementwise: AxisRules = {
  ...ruleFor(
    `Abs Acos Acosh Asin Asinh Atan Atanh Cast Ceil Celu Clip Cos Cosh Dropout Elu Erf Exp Floor Gelu
     HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu
     Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu BitwiseNot
     And Or Xor BitwiseAnd BitwiseOr BitwiseXor BitShift Equal Greater GreaterOrEqual Less LessOrEqual
     Max Min Mean Mod Pow PRelu Sum Where CastLike`,
    pointwise(),
  ),
  ...ruleFor('Mul Div', pointwise('scale')),
  ...ruleFor('Add Sub', pointwise('shift')),
};
