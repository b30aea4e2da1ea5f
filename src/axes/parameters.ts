import { constantTensor } from '../onnx/constant.js';
import type { Graph } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';

/** A constant tensor of the graph: an initializer or the output of a Constant node. */
export interface ParameterSource {
  /** Value name of the initializer or of the Constant's output. */
  readonly name: string;
  readonly tensor: Tensor;
  readonly kind: 'initializer' | 'constant';
  /**
   * Exporters store equal vectors (zero biases, equal gammas) once, which would couple unrelated layers:
   * a tensor with at most one axis above size 1 is free at each use. Matrices stay tied (shared embeddings).
   */
  readonly tied: boolean;
}

/** All constants by value name, also under the names that `Identity` nodes give them. */
export function findParameters(graph: Graph): ReadonlyMap<string, ParameterSource> {
  const sources = new Map<string, ParameterSource>();
  const add = (name: string, tensor: Tensor, kind: ParameterSource['kind']): void => {
    const tied = tensor.dims.filter((dim) => dim !== 1).length > 1;
    sources.set(name, { name, tensor, kind, tied });
  };
  for (const tensor of graph.initializers) add(tensor.name, tensor, 'initializer');
  for (const node of graph.nodes) {
    const output = node.outputs[0];
    if (output === undefined || node.domain !== '') continue;
    if (node.opType === 'Constant') {
      const tensor = constantTensor(node);
      if (tensor) add(output, tensor, 'constant');
    } else if (node.opType === 'Identity') {
      const source = sources.get(node.inputs[0] ?? '');
      if (source) sources.set(output, source);
    }
  }
  return sources;
}
