import type { Graph, Model, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { encodeFloats, floatsOf, floatTensor, withBytes } from '../onnx/values.js';
import { randomGenerator } from '../random/random.js';
import { bounded } from './compare.js';

/**
 * How a tensor moves under changes of the size of rounding tells how well-conditioned it is. A power, or a division by
 * almost nothing, turns the rounding of any kernel into a visible difference; then a difference proves nothing.
 */

/** Relative change of the inputs: some sixteen roundings of float32. */
export const inputChange = 1e-6;

/** Relative change after functions with values up to 1, which hide a change of their input where they are saturated. */
const boundedChange = 4 * 2 ** -24;

/** Inputs moved by random relative changes. */
export function moveInputs(
  tensors: ReadonlyMap<string, Tensor>,
  seed: number | string,
): ReadonlyMap<string, Tensor> {
  const random = randomGenerator(`conditioning:${seed}`);
  return new Map(
    [...tensors].map(([name, tensor]) => {
      if (tensor.dtype !== 'float32' && tensor.dtype !== 'float64') return [name, tensor];
      const values = floatsOf(tensor).map((x) => x * (1 + inputChange * (2 * random() - 1)));
      return [name, withBytes(tensor, encodeFloats(values, tensor.dtype))];
    }),
  );
}

/** The model with the values of float32 bounded functions moved. */
export function moveBounded(model: Model, isFloat32: (value: string) => boolean): Model {
  const factor = 'onnx-prune:conditioning';
  const nodes = model.graph.nodes.flatMap((node): Node[] => {
    const [value] = node.outputs;
    if (!bounded.has(node.opType) || value === undefined || !isFloat32(value)) return [node];
    const exact = `${value}:conditioning`;
    const move: Node = {
      name: '',
      opType: 'Mul',
      domain: '',
      inputs: [exact, factor],
      outputs: [value],
      attributes: new Map(),
      docString: '',
    };
    return [{ ...node, outputs: [exact] }, move];
  });
  const scale = floatTensor(factor, Float32Array.of(1 - boundedChange), []);
  const graph: Graph = { ...model.graph, nodes, initializers: [...model.graph.initializers, scale] };
  return { ...model, graph };
}
