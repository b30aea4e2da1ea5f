import type { Attribute, AttributeValue, Graph, Model, Node } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatTensor } from '../../src/onnx/values.js';
import { randomGenerator } from '../../src/random/random.js';

/** Small models for tests, written by hand. */
export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
  more: Partial<Node> = {},
): Node {
  const entries = Object.entries(attributes).map(([name, value]): [string, Attribute] => [
    name,
    { name, docString: '', reference: '', ...value },
  ]);
  const base = { name: '', opType, domain: '', inputs, outputs, attributes: new Map(entries), docString: '' };
  return { ...base, ...more };
}

export function graph(
  nodes: readonly Node[],
  inputs: readonly string[],
  outputs: readonly string[],
  initializers: readonly Tensor[] = [],
): Graph {
  const values = (names: readonly string[]) =>
    names.map((name) => ({ name, docString: '', type: undefined }));
  return {
    name: 'g',
    docString: '',
    nodes,
    initializers,
    sparseInitializers: [],
    inputs: values(inputs),
    outputs: values(outputs),
    valueInfos: [],
    quantizationAnnotations: [],
  };
}

export function model(main: Graph, opset = 17, more: Partial<Model> = {}): Model {
  return {
    irVersion: 8,
    opsets: new Map([['', opset]]),
    opsetImports: [{ domain: '', version: opset }],
    producerName: '',
    producerVersion: '',
    domain: '',
    modelVersion: 0n,
    docString: '',
    metadata: [],
    graph: main,
    functions: [],
    trainingInfo: [],
    ...more,
  };
}

/** Uniform from `-below` to `1 - below`, times `scale`; the same for the same name. */
export function randomTensor(name: string, dims: readonly number[], below = 0.4, scale = 1): Tensor {
  const next = randomGenerator(name);
  const count = dims.reduce((a, b) => a * b, 1);
  return floatTensor(
    name,
    Float32Array.from({ length: count }, () => scale * (next() - below)),
    dims,
  );
}

/** The same with one float32 input `x`; dims may be symbolic. */
export function withInput(made: Model, dims: readonly (number | string)[]): Model {
  const shape = dims.map((value) => ({ value, denotation: '' }));
  const type = { kind: 'tensor', dtype: 'float32', shape, denotation: '' } as const;
  return { ...made, graph: { ...made.graph, inputs: [{ name: 'x', docString: '', type }] } };
}
