import type { Graph } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { has } from './index.js';
import { constantTensor } from './literal.js';

/** A constant tensor of the graph: an initializer or the output of a Constant node. */
export interface ConstantSource {
  /** Value name of the initializer or of the Constant's output. */
  readonly name: string;
  readonly tensor: Tensor;
  readonly kind: 'initializer' | 'constant';
  /**
   * Exporters store equal vectors (zero biases, equal gammas) once, which would couple unrelated layers:
   * a tensor that varies along at most one axis is free at each use, as are the zero states of stacked recurrent
   * layers. Matrices stay tied (shared embeddings).
   */
  readonly tied: boolean;
}

const known = new WeakMap<Graph, ReadonlyMap<string, ConstantSource>>();

/** All constants by value name, also under the names that `Identity` nodes give them. Looked for once a graph. */
export function findConstants(graph: Graph): ReadonlyMap<string, ConstantSource> {
  let constants = known.get(graph);
  if (!constants) known.set(graph, (constants = constantsOf(graph)));
  return constants;
}

function constantsOf(graph: Graph): ReadonlyMap<string, ConstantSource> {
  const sources = new Map<string, ConstantSource>();
  const add = (name: string, tensor: Tensor, kind: ConstantSource['kind']): void => {
    const tied = tensor.dims.filter((dim) => dim !== 1).length > 1 && variesAlongTwoAxes(tensor);
    sources.set(name, { name, tensor, kind, tied });
  };
  for (const tensor of graph.initializers) add(tensor.name, tensor, 'initializer');
  for (const node of graph.nodes) {
    const output = node.outputs[0];
    if (output === undefined) continue;
    const tensor = constantTensor(node);
    const source = has(node, 'alias') ? sources.get(node.inputs[0] ?? '') : undefined;
    if (tensor) add(output, tensor, 'constant');
    else if (source) sources.set(output, source);
  }
  return sources;
}

/** Larger tensors are taken to hold data: fillers and states are small. */
const maxFillerElements = 2 ** 16;

/** Whether the positions of two axes can be told apart: along all others the elements repeat. */
function variesAlongTwoAxes({ dims, data }: Tensor): boolean {
  const count = elementCount(dims);
  if (count > maxFillerElements || (data.storage !== 'raw' && data.storage !== 'typed')) return true;
  const bytes = data.bytes();
  const width = bytes.length / count;
  if (!Number.isInteger(width)) return true;
  let varying = 0;
  let stride = count;
  for (const dim of dims) {
    stride /= dim;
    if (!repeats(bytes, dim, stride * width)) varying++;
    if (varying > 1) return true;
  }
  return false;
}

/** Whether the bytes at every position of an axis are those at its first. */
function repeats(bytes: Uint8Array, dim: number, stride: number): boolean {
  const block = dim * stride;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== bytes[i - (i % block) + (i % stride)]) return false;
  return true;
}
