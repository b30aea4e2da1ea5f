import type { Node } from '../onnx/model.js';
import type { Fact } from './session-model.js';

/** Pointwise ops: only scalars give a scalar. */
const pointwise = new Set(
  (
    'Abs Acos Acosh Add And Asin Asinh Atan Atanh BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BitShift Cast CastLike ' +
    'Ceil Celu Clip Cos Cosh DequantizeLinear Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual ' +
    'HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or ' +
    'Pow PRelu QuantizeLinear Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum ' +
    'Tan Tanh ThresholdedRelu Where Xor'
  ).split(' '),
);

/** Other ops whose output rank follows from the ranks of their inputs alone, never from values. */
const ranksFromRanks = new Set(['Size', 'Gather', 'Einsum', 'Det']);

/**
 * onnxruntime reports a scalar and a value of unknown rank alike, as `[]`; comparisons of opset 12 are of unknown rank
 * whatever they compare.
 * True if this node's empty shape is certain to be a scalar's; otherwise its rank has to be asked for.
 */
export function isCertainlyScalar(node: Node, factOf: (name: string) => Fact | undefined): boolean {
  if (node.domain !== '') return false;
  const isPointwise = pointwise.has(node.opType);
  if (!isPointwise && !ranksFromRanks.has(node.opType)) return false;
  return node.inputs.every((name) => {
    if (name === '') return true;
    const shape = factOf(name)?.shape;
    return shape !== undefined && (!isPointwise || shape.length === 0);
  });
}
