import type { Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatTensor, integerTensor } from '../onnx/values.js';
import { has } from './index.js';

/**
 * The value of a Constant node, named after its output. Undefined for other nodes, and for forms that
 * nothing here computes with (strings, sparse tensors).
 */
export function constantTensor(node: Node): Tensor | undefined {
  if (!has(node, 'literal')) return undefined;
  const name = node.outputs[0] ?? '';
  for (const attribute of node.attributes.values()) {
    if (attribute.reference) continue;
    const key = `${attribute.name}:${attribute.type}`;
    if (key === 'value:tensor') return { ...(attribute.value as Tensor), name };
    if (key === 'value_float:float') return floatTensor(name, [attribute.value as number], []);
    if (key === 'value_floats:floats') return floatTensor(name, attribute.value as readonly number[]);
    if (key === 'value_int:int') return integerTensor(name, [attribute.value as bigint], []);
    if (key === 'value_ints:ints') return integerTensor(name, attribute.value as readonly bigint[]);
  }
  return undefined;
}
