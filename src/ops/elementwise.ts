import { each, family, type OpFamily, type Trait } from './op.js';

/** Each element of the output depends on those at the same position of the inputs. An op like that is one word here. */
const pointwise = (inputs: string, ops: string, ...traits: readonly Trait[]): OpFamily =>
  each(ops, { inputs, traits: ['pointwise', ...traits] });

export const elementwise: OpFamily = family(
  pointwise(
    'X',
    'Abs BitwiseNot Celu Elu Gelu HardSwish IsInf IsNaN LeakyRelu Mish Neg Not Relu Selu Softplus',
  ),
  pointwise('X', 'Swish ThresholdedRelu'),
  pointwise('input', 'Asinh Atan BitCast Cos Shrink Sin Softsign'),
  pointwise('X', 'HardSigmoid Sigmoid', 'bounded', 'saturates'),
  pointwise('input', 'Erf Tanh', 'bounded', 'saturates'),
  pointwise('X', 'Reciprocal Sqrt', 'ill-conditioned'),
  pointwise('input', 'Acos Acosh Asin Atanh Cosh Exp Log Sinh Tan', 'ill-conditioned'),
  pointwise('X Y', 'Pow', 'ill-conditioned'),
  pointwise('X', 'Ceil Floor Round', 'decides'),
  pointwise('input', 'Sign', 'decides'),
  pointwise('A B', 'Equal Greater GreaterOrEqual Less LessOrEqual Mod', 'decides'),
  pointwise('A B', 'And BitwiseAnd BitwiseOr BitwiseXor Or Xor'),
  pointwise('X Y', 'BitShift'),
  pointwise('X slope', 'PRelu'),
  pointwise('condition X Y', 'Where', 'selects'),
  pointwise('data_0…', 'Max Mean Min'),
  pointwise('data_0…', 'Sum', 'adds'),
  pointwise('A B', 'Add', 'adds', 'shifts'),
  pointwise('A B', 'Sub', 'shifts'),
  pointwise('A B', 'Mul', 'scales'),
  {
    Div: {
      inputs: 'A B',
      traits: ['pointwise', 'scales', 'ill-conditioned'],
      operands: { divisor: 'B' },
    },
    Identity: { inputs: 'input', traits: ['pointwise', 'moves', 'view', 'alias'] },
    Cast: { inputs: 'input', traits: ['pointwise', 'casts'] },
    CastLike: {
      inputs: 'input target_type',
      traits: ['pointwise', 'casts'],
      operands: { type: 'target_type' },
    },
    Clip: {
      inputs: 'input min max',
      traits: ['pointwise'],
      parameters: { min: [[1, 'min'], [11, 1]], max: [[1, 'max'], [11, 2]] }, // prettier-ignore
    },
    Dropout: {
      inputs: 'data ratio training_mode',
      traits: ['pointwise'],
      parameters: { ratio: [[1, 'ratio'], [12, 1]], training_mode: [[12, 2]] }, // prettier-ignore
    },
  },
);
