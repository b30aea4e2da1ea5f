import { findParameters } from '../axes/parameters.js';
import type { Graph, Node } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { elementBytes, integersOf, integerTensor, withBytes } from '../onnx/values.js';

/** The input that holds the zero point of an integer weight, by op and input of the weight. */
const zeroPoints: Readonly<Record<string, readonly [weight: number, zeroPoint: number]>> = {
  ConvInteger: [1, 3],
  MatMulInteger: [1, 3],
  QLinearConv: [3, 5],
  QLinearMatMul: [3, 5],
  QGemm: [3, 5],
  MatMulIntegerToFloat: [1, 5],
};

/** What an integer weight of a node holds where it stands for 0; undefined if that differs by channel or isn't known. */
export function integerZero(graph: Graph, node: Node, input: number): number | undefined {
  const [weight, at] = zeroPoints[node.opType] ?? [];
  if (weight !== input) return undefined;
  const name = node.inputs[at!];
  if (!name) return 0;
  const tensor = findParameters(graph).get(name)?.tensor;
  const values = tensor && new Set(integersOf(tensor));
  return values?.size === 1 ? [...values][0] : undefined;
}

/** A copy of an integer tensor with `value` outside the masks. */
export function filledOutside(tensor: Tensor, masks: ReadonlyMap<number, Uint8Array>, value: number): Tensor {
  const bytes = tensor.data.bytes().slice();
  const fill = integerTensor('', [value], [1], tensor.dtype).data.bytes();
  const size = elementBytes(tensor.dtype);
  for (const [axis, mask] of masks) {
    const inner = elementCount(tensor.dims.slice(axis + 1));
    const count = elementCount(tensor.dims);
    for (let i = 0; i < count; i++) if (!mask[Math.floor(i / inner) % mask.length]) bytes.set(fill, i * size);
  }
  return withBytes(tensor, bytes);
}
