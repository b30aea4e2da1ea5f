import type { Graph, Model, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { encodeFloats, floatsOf, floatTensor, withBytes } from '../onnx/values.js';
import { randomGenerator } from '../random/random.js';
import { has } from '../ops/index.js';
import { mulNode, subNode, unnamed } from '../ops/nodes.js';

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

/** What is moved besides the inputs. */
export interface Movable {
  readonly isFloat32: (value: string) => boolean;
  /** Values that statistics went into, which a masked model takes in another order, with the size of their last axis. */
  readonly normalized?: ReadonlyMap<string, number>;
  readonly seed?: number | string;
}

/** The model with the values of float32 bounded functions moved, and element by element those behind statistics. */
export function moveRounded(model: Model, { isFloat32, normalized, seed = 0 }: Movable): Model {
  const random = randomGenerator(`rounding:${seed}`);
  const factor = 'onnx-prune:conditioning';
  const change = `${factor}:change`;
  const factors = [
    floatTensor(factor, Float32Array.of(1 - boundedChange), []),
    floatTensor(change, Float32Array.of(boundedChange), []),
  ];
  const factorFor = (size: number): string => {
    const name = `${factor}:${size}`;
    const draw = (): number => 1 + boundedChange * (2 * random() - 1);
    if (!factors.some((tensor) => tensor.name === name))
      factors.push(floatTensor(name, Array.from({ length: size }, draw), [size]));
    return name;
  };
  const nodes = model.graph.nodes.flatMap((node): Node[] => {
    const [value] = node.outputs;
    if (value === undefined || !isFloat32(value)) return [node];
    const size = normalized?.get(value);
    if (!has(node, 'bounded') && size === undefined) return [node];
    const exact = `${value}:conditioning`;
    // Near 0 these are as inexact as near 1.
    const isShifted = size === undefined && has(node, 'saturates');
    const move = isShifted
      ? subNode(exact, change, value)
      : mulNode(exact, size === undefined ? factor : factorFor(size), value);
    return [{ ...node, outputs: node.outputs.with(0, exact) }, unnamed(move)];
  });
  const graph: Graph = { ...model.graph, nodes, initializers: [...model.graph.initializers, ...factors] };
  return { ...model, graph };
}
