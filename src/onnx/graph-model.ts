import type { DataType } from './data-type.js';
import type { Model, Node } from './model.js';
import type { Tensor } from './tensor.js';

/** A model of our own making, for onnxruntime only: no shapes, which it infers. */
export interface GraphParts {
  readonly nodes: readonly Node[];
  readonly inputs: readonly (readonly [name: string, dtype: DataType, rank: number | undefined])[];
  readonly outputs: readonly string[];
  readonly initializers: readonly Tensor[];
}

/** Old enough for every onnxruntime in use, new enough for float64 Gemm and ReduceMean with attributes. */
const opset = 17;

export function graphModel({ nodes, inputs, outputs, initializers }: GraphParts): Model {
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
      name: 'statistics',
      docString: '',
      nodes,
      initializers,
      sparseInitializers: [],
      inputs: inputs.map(([name, dtype, rank]) => ({
        name,
        docString: '',
        type: {
          kind: 'tensor',
          dtype,
          shape:
            rank === undefined
              ? undefined
              : Array.from({ length: rank }, () => ({ value: undefined, denotation: '' })),
          denotation: '',
        },
      })),
      outputs: outputs.map((name) => ({ name, docString: '', type: undefined })),
      valueInfos: [],
      quantizationAnnotations: [],
    },
  };
}
