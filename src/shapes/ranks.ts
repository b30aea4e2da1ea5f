import type { Node } from '../onnx/model.js';
import type { Fact } from './session-model.js';

/**
 * Ops whose output rank follows from the ranks of their inputs alone, never from values.
 * For these an empty reported shape means a scalar whenever every input's rank is known.
 */
const ranksFromRanks = new Set(
  (
    'Abs Acos Acosh Add And Asin Asinh Atan Atanh BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BitShift Cast CastLike ' +
    'Ceil Celu Clip Cos Cosh DequantizeLinear Div Elu Equal Erf Exp Floor Gather Gelu Greater GreaterOrEqual ' +
    'HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or ' +
    'Pow PRelu QuantizeLinear Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Size Softplus Softsign Sqrt Sub Sum ' +
    'Tan Tanh ThresholdedRelu Where Xor Einsum Det'
  ).split(' '),
);

/**
 * onnxruntime reports a scalar and a value of unknown rank alike, as `[]`.
 * True if this node's empty shape is certain to be a scalar's; otherwise its rank has to be asked for.
 */
export function isCertainlyScalar(node: Node, factOf: (name: string) => Fact | undefined): boolean {
  if (node.domain !== '' || !ranksFromRanks.has(node.opType)) return false;
  return node.inputs.every((name) => name === '' || factOf(name)?.shape !== undefined);
}
