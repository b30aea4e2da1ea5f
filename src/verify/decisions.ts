import { graphAttributes } from '../onnx/attributes.js';
import { isFloat, type DataType } from '../onnx/data-type.js';
import type { Node } from '../onnx/model.js';
import { has } from '../ops/index.js';

/**
 * Whether a node decides: it turns floats into integers, booleans or strings (an index, a comparison, a quantized value),
 * or jumps between floats. Its inputs are the last values that two models can be compared at.
 */
export function jumps(node: Node, dtypeOf: (value: string) => DataType | undefined): boolean {
  if (has(node, 'decides')) return true;
  const isFloating = (name: string): boolean => isFloat(dtypeOf(name) ?? 'undefined');
  return node.inputs.some(isFloating) && node.outputs.some((name) => name !== '' && !isFloating(name));
}

/** Whether a node, or one inside its bodies, draws random numbers. */
export function drawsNumbers(node: Node): boolean {
  const nodes = [node];
  for (const current of nodes) {
    if (has(current, 'random')) return true;
    for (const { graph } of graphAttributes(current)) nodes.push(...graph.nodes);
  }
  return false;
}
