import type { DataType } from './data-type.js';
import type { Model, Node, ValueInfo } from './model.js';
import type { Tensor } from './tensor.js';

/** A model of our own making, for onnxruntime only: outputs have no types, which it infers. */
export interface GraphParts {
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly string[];
  readonly initializers: readonly Tensor[];
  /** Default 17: old enough for every onnxruntime in use, new enough for float64 Gemm and ReduceMean with attributes. */
  readonly opset?: number;
}

export function graphModel({ nodes, inputs, outputs, initializers, opset = 17 }: GraphParts): Model {
  return {
    irVersion: 8,
    opsets: new Map([['', opset]]),
    opsetImports: [{ domain: '', version: opset }],
    producerName: 'onnx-prune',
    producerVersion: '',
    domain: '',
    modelVersion: 0n,
    docString: '',
    metadata: [],
    functions: [],
    trainingInfo: [],
    graph: {
      name: 'onnx-prune',
      docString: '',
      nodes,
      initializers,
      sparseInitializers: [],
      inputs,
      outputs: untypedInfos(outputs),
      valueInfos: [],
      quantizationAnnotations: [],
    },
  };
}

/** Values whose types onnxruntime infers. */
export function untypedInfos(names: readonly string[]): ValueInfo[] {
  return names.map((name) => ({ name, docString: '', type: undefined }));
}

/**
 * The model with other outputs, for onnxruntime only. Values inside lose their declared shapes, of which it would warn at
 * another size of the batch.
 */
export function withOutputs(model: Model, outputs: readonly ValueInfo[]): Model {
  const graph = { ...model.graph, outputs, valueInfos: [] };
  return { ...model, irVersion: Math.max(4, model.irVersion), graph };
}

/** A tensor-typed value; sizes may be open, and so may the rank. */
export function tensorInfo(
  name: string,
  dtype: DataType,
  shape: readonly (number | undefined)[] | undefined,
): ValueInfo {
  const dims = shape?.map((value) => ({ value, denotation: '' }));
  return { name, docString: '', type: { kind: 'tensor', dtype, shape: dims, denotation: '' } };
}

/** A tensor-typed value of open sizes. */
export function rankedInfo(name: string, dtype: DataType, rank: number | undefined): ValueInfo {
  return tensorInfo(name, dtype, rank === undefined ? undefined : new Array<undefined>(rank).fill(undefined));
}
