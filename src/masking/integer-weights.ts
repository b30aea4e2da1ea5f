import { findConstants } from '../ops/constants.js';
import type { Graph, Node } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { elementBytes, integersOf, integerTensor, withBytes } from '../onnx/values.js';
import { operandOf, opOf } from '../ops/index.js';

/** What an integer weight holds where it stands for 0: one value, or one for each position of an axis. */
export interface IntegerZeros {
  readonly values: readonly number[];
  readonly axis: number;
}

/** The zero points of a weight of a node; undefined if they aren't known. */
export function integerZeros(graph: Graph, node: Node, input: number): IntegerZeros | undefined {
  const op = opOf(node);
  if (!op?.weightAxis || op.operands.weight !== input) return undefined;
  const axis = op.weightAxis(node);
  const name = operandOf(node, 'weightZeroPoint');
  if (!name) return { values: [0], axis };
  const tensor = findConstants(graph).get(name)?.tensor;
  return tensor && tensor.dims.length < 2 ? { values: integersOf(tensor), axis } : undefined;
}

/** A copy of an integer tensor that stands for 0 outside the masks. */
export function filledOutside(
  tensor: Tensor,
  masks: ReadonlyMap<number, Uint8Array>,
  { values, axis: along }: IntegerZeros,
): Tensor {
  const { dims } = tensor;
  const bytes = tensor.data.bytes().slice();
  const size = elementBytes(tensor.dtype);
  const fills = values.map((value) => integerTensor('', [value], [1], tensor.dtype).data.bytes());
  const count = elementCount(dims);
  const innerOf = (axis: number): number => elementCount(dims.slice(axis + 1));
  const length = dims.at(along) ?? 1;
  const stride = innerOf(along < 0 ? along + dims.length : along);
  for (const [axis, mask] of masks) {
    const inner = innerOf(axis);
    for (let i = 0; i < count; i++)
      if (!mask[Math.floor(i / inner) % mask.length])
        bytes.set(fills[fills.length > 1 ? Math.floor(i / stride) % length : 0]!, i * size);
  }
  return withBytes(tensor, bytes);
}
