import type { ConstantSource } from '../ops/constants.js';
import { intAttribute, stringAttribute } from '../onnx/attributes.js';
import { isFloat } from '../onnx/data-type.js';
import type { Node } from '../onnx/model.js';
import { has } from '../ops/index.js';
import type { Layer } from './layer.js';

/**
 * The layers of a recurrent node, two for each direction: what the gates add up are a product with the input and one
 * with the state, and each of the two is kept by itself.
 * @returns a reason if there are none, undefined for other nodes
 */
export function recurrentLayers(
  node: Node,
  index: number,
  sources: ReadonlyMap<string, ConstantSource>,
): readonly Omit<Layer, 'name'>[] | string | undefined {
  if (!has(node, 'recurrent')) return undefined;
  const [x = '', w = '', r = '', b = '', lengths = ''] = node.inputs;
  const [weights, recurrent, bias] = [sources.get(w), sources.get(r), sources.get(b)];
  if (!weights || !recurrent || (b && !bias)) return 'its weights are not constants';
  if (!isFloat(weights.tensor.dtype)) return `its weight is of type ${weights.tensor.dtype}`;
  if (lengths) return 'its sequences have lengths of their own';
  if (intAttribute(node, 'layout', 0) === 1) return 'its batch axis comes first';
  const [directions = 1, rows = 0, inputs = 0] = weights.tensor.dims;
  const size = recurrent.tensor.dims[2] ?? 0;
  const [states = ''] = node.outputs;
  const output = node.outputs.find((name) => name !== '') ?? '';
  // Where the gate's reset comes first the state is not what the recurrent weights read.
  const readsState = !has(node, 'resets') || intAttribute(node, 'linear_before_reset', 0) !== 0;
  const layer = (direction: number, ofState: boolean): Omit<Layer, 'name'> => {
    const columns = ofState ? size : inputs;
    const start = direction * rows * columns;
    const isReversed = direction === 1 || stringAttribute(node, 'direction', 'forward') === 'reverse';
    return {
      node: index,
      kind: 'linear',
      x: ofState ? states : x,
      y: ofState ? states : x,
      output,
      weightInput: ofState ? 2 : 1,
      weight: ofState ? recurrent : weights,
      layout: { rows, inputs: columns, entries: 1, rowStride: columns, inputStride: 1, start },
      inputAxis: 2,
      outputAxis: 1,
      groups: 1,
      transposed: false,
      alpha: 1,
      recurrence: { direction, isReversed, ofState },
      bias: bias && {
        kind: 'add',
        node: index,
        input: 3,
        tensor: bias.tensor,
        factor: 1,
        start: (2 * direction + (ofState ? 1 : 0)) * rows,
      },
    };
  };
  return Array.from({ length: directions }, (_, direction) => [
    layer(direction, false),
    ...(states && readsState ? [layer(direction, true)] : []),
  ]).flat();
}
