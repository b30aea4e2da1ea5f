import { type DataType, isFloat } from '../onnx/data-type.js';
import { untypedInfos } from '../onnx/graph-model.js';
import type { Model, Node, ValueInfo, ValueType } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { sessionType } from './session-types.js';

/** Dims of a value; undefined entries depend on data. */
export type Dims = readonly (number | undefined)[];

/** What is known of a value. */
export interface Fact {
  readonly dtype: DataType | undefined;
  readonly shape: Dims | undefined;
}

/**
 * The part of a model to run in a session of its own: some nodes, and what they read from outside,
 * as constants and as inputs. Only names of outputs are given: onnxruntime infers their types.
 */
export function partialModel(
  model: Model,
  nodes: readonly Node[],
  constants: readonly Tensor[],
  inputs: readonly ValueInfo[],
  outputs: readonly string[],
): Model {
  const sparse = model.graph.sparseInitializers;
  const used = sparse.length === 0 ? undefined : new Set(nodes.flatMap((node) => node.inputs));
  return {
    ...model,
    // Below IR version 4 initializers have to be listed among the inputs too.
    irVersion: Math.max(model.irVersion, 4),
    docString: '',
    metadata: [],
    trainingInfo: [],
    graph: {
      name: model.graph.name === '' ? 'graph' : model.graph.name,
      docString: '',
      nodes,
      initializers: constants,
      sparseInitializers: used === undefined ? sparse : sparse.filter(({ name }) => used.has(name)),
      inputs,
      outputs: untypedInfos(outputs),
      valueInfos: [],
      quantizationAnnotations: [],
    },
  };
}

/** An input of a session: only its dtype and shape count. */
export function sessionInput(name: string, dtype: DataType, shape: Dims | undefined): ValueInfo {
  const dims = shape?.map((value) => ({ value, denotation: '' }));
  return {
    name,
    docString: '',
    type: { kind: 'tensor', dtype: sessionType(dtype), shape: dims, denotation: '' },
  };
}

export function typedInput(name: string, type: ValueType): ValueInfo {
  return { name, docString: '', type };
}

/**
 * Whether shape inference needs the elements of a constant: sizes, axes, bounds and scales do matter, weights don't
 * and become inputs, so that a session copies none. Index tensors are kept longer, since shapes are computed from them.
 */
export function isShapeRelevant(tensor: Tensor): boolean {
  const { storage } = tensor.data;
  if (storage === 'absent' || sessionType(tensor.dtype) !== tensor.dtype) return false;
  const count = elementCount(tensor.dims);
  if (count <= 64 || storage === 'strings') return true;
  return !isFloat(tensor.dtype) && (tensor.dtype === 'int64' || tensor.dtype === 'int32') && count <= 4096;
}
