import { intAttribute } from '../onnx/attributes.js';
import type { Node } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { integerTensor } from '../onnx/values.js';
import { has } from './index.js';

/** Static dims of a value; undefined entries where they depend on data. */
type Dims = readonly (number | undefined)[];

/** The sizes that a node lists of a value of some dims, in its order; undefined for ops that list none. */
export function listedSizes(node: Node, dims: Dims): Dims | undefined {
  if (!has(node, 'sizes') || has(node, 'counts')) return undefined;
  // Array.slice clamps and counts negative indices from the end exactly as Shape does.
  return dims.slice(intAttribute(node, 'start'), intAttribute(node, 'end'));
}

/** What a node gives that reads sizes of a value of some dims; undefined for other ops, and where a size is unknown. */
export function sizesOf(node: Node, dims: Dims): Tensor | undefined {
  if (!has(node, 'sizes')) return undefined;
  const sizes = listedSizes(node, dims) ?? dims;
  if (!sizes.every((size) => size !== undefined)) return undefined;
  const name = node.outputs[0]!;
  return has(node, 'counts') ? integerTensor(name, [elementCount(sizes)], []) : integerTensor(name, sizes);
}
