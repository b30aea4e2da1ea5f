import type { GraphIndex } from '../onnx/graph-index.js';
import { intAttribute } from '../onnx/attributes.js';
import { has, operandIndex } from '../ops/index.js';

/**
 * Whether all that a product is read by is a softmax over its last axis, maybe scaled and masked: what is added to all
 * products with one left factor changes nothing then.
 */
export function isSoftmaxed(product: string, { consumers, outputs }: GraphIndex): boolean {
  let value = product;
  for (;;) {
    const uses = consumers.get(value) ?? [];
    const [use] = uses;
    if (uses.length !== 1 || !use || outputs.has(value)) return false;
    // Before opset 13 the axis counted from the front, and the default was no single axis.
    if (has(use.node, 'softmax')) return intAttribute(use.node, 'axis', -1) === -1;
    const isScaledOrMasked = has(use.node, 'scales', 'shifts', 'adds', 'selects', 'casts', 'alias');
    const isDivisor = operandIndex(use.node, 'divisor') === use.input;
    if (!isScaledOrMasked || isDivisor || operandIndex(use.node, 'type') === use.input) return false;
    value = use.node.outputs[0]!;
  }
}
