import type { GraphIndex } from '../onnx/graph-index.js';
import { intAttribute } from '../onnx/attributes.js';

/** Ops between the product of queries and keys and its softmax: scales and masks. */
const between = new Set(['Mul', 'Div', 'Add', 'Sub', 'Where', 'Cast', 'Identity']);

/**
 * Whether all that a product is read by is a softmax over its last axis, maybe scaled and masked: what is added to all
 * products with one left factor changes nothing then.
 */
export function isSoftmaxed(product: string, { consumers, outputs }: GraphIndex): boolean {
  let value = product;
  for (;;) {
    const uses = consumers.get(value) ?? [];
    const [use] = uses;
    if (uses.length !== 1 || !use || outputs.has(value) || use.node.domain !== '') return false;
    const { opType } = use.node;
    // Before opset 13 the axis counted from the front, and the default was no single axis.
    if (opType === 'Softmax') return intAttribute(use.node, 'axis', -1) === -1;
    if (!between.has(opType) || (opType === 'Div' && use.input !== 0)) return false;
    value = use.node.outputs[0]!;
  }
}
