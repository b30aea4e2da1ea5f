import type { DataType } from '../../src/onnx/data-type.js';
import type { Attribute, AttributeValue, Graph, Model, Node, ValueInfo } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';

/** `node('Add', ['x', 'y'], ['z'], { axis: 1 })`; a domain is written before the op: `my.domain:Foo`. */
export function node(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, number | readonly number[] | string | Tensor | Graph>> = {},
  name = '',
): Node {
  const [opType, domain = ''] = op.split(':').reverse();
  const entries = Object.entries(attributes).map(([key, value]): [string, Attribute] => [
    key,
    { name: key, docString: '', reference: '', ...attributeValue(value) },
  ]);
  return { name, opType: opType!, domain, inputs, outputs, attributes: new Map(entries), docString: '' };
}

function attributeValue(value: number | readonly number[] | string | Tensor | Graph): AttributeValue {
  if (typeof value === 'number') {
    return Number.isInteger(value) ? { type: 'int', value: BigInt(value) } : { type: 'float', value };
  }
  if (typeof value === 'string') return { type: 'string', value: new TextEncoder().encode(value) };
  if ('nodes' in value) return { type: 'graph', value };
  if ('data' in value) return { type: 'tensor', value };
  return { type: 'ints', value: value.map(BigInt) };
}

/** A tensor-typed value; without a shape its rank is unknown. */
export function value(
  name: string,
  shape?: readonly (number | string | undefined)[],
  dtype: DataType = 'float32',
): ValueInfo {
  const dims = shape?.map((size) => ({ value: size, denotation: '' }));
  return { name, docString: '', type: { kind: 'tensor', dtype, shape: dims, denotation: '' } };
}

export function graph(parts: Partial<Graph> & Pick<Graph, 'nodes'>): Graph {
  return {
    name: 'graph',
    docString: '',
    initializers: [],
    sparseInitializers: [],
    inputs: [],
    outputs: [],
    valueInfos: [],
    quantizationAnnotations: [],
    ...parts,
  };
}

export function model(
  parts: Partial<Graph> & Pick<Graph, 'nodes'>,
  opset = 17,
  domains: readonly string[] = [],
  irVersion = 8,
): Model {
  const opsetImports = [{ domain: '', version: opset }, ...domains.map((domain) => ({ domain, version: 1 }))];
  return {
    irVersion,
    opsets: new Map(opsetImports.map(({ domain, version }) => [domain, version])),
    opsetImports,
    producerName: '',
    producerVersion: '',
    domain: '',
    modelVersion: 0n,
    docString: '',
    metadata: [],
    graph: graph(parts),
    functions: [],
    trainingInfo: [],
  };
}
