import { graphAttributes } from '../onnx/attributes.js';
import { isFloat, type DataType } from '../onnx/data-type.js';
import type { Node } from '../onnx/model.js';

/** Ops from floats to floats that jump: a rounding difference in what they read may change what they write completely. */
const jumping = new Set(
  `TopK Hardmax Unique Round Floor Ceil Sign Mod Loop If Scan com.microsoft::DynamicQuantizeMatMul
   com.microsoft::DynamicQuantizeLSTM com.microsoft::MatMulNBits`.split(/\s+/),
);
const drawing = /^(Bernoulli|Multinomial|RandomNormal|RandomNormalLike|RandomUniform|RandomUniformLike)$/;

/**
 * Whether a node decides: it turns floats into integers, booleans or strings (an index, a comparison, a quantized value),
 * or jumps between floats. Its inputs are the last values that two models can be compared at.
 */
export function jumps(
  { domain, opType, inputs, outputs }: Node,
  dtypeOf: (value: string) => DataType | undefined,
): boolean {
  if (jumping.has(domain === '' ? opType : `${domain}::${opType}`)) return true;
  const isFloating = (name: string): boolean => isFloat(dtypeOf(name) ?? 'undefined');
  return inputs.some(isFloating) && outputs.some((name) => name !== '' && !isFloating(name));
}

/** Whether a node, or one inside its bodies, draws random numbers. */
export function drawsNumbers(node: Node): boolean {
  const nodes = [node];
  for (const current of nodes) {
    if (current.domain === '' && drawing.test(current.opType)) return true;
    for (const { graph } of graphAttributes(current)) nodes.push(...graph.nodes);
  }
  return false;
}
