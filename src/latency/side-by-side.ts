import type { DataType } from '../onnx/data-type.js';
import { untypedInfos } from '../onnx/graph-model.js';
import type { Attribute, Model, Node, ValueInfo } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { elementBytes, encodeFloats, rawTensor, type FloatType } from '../onnx/values.js';
import { has } from '../ops/index.js';
import { fillNormal, randomGenerator } from '../random/random.js';
import type { Operation } from './operation.js';

/** An operation at some widths. */
export interface Sized {
  readonly operation: Operation;
  readonly widths: readonly number[];
}

/** What the node of a part is called, and its output. */
export function partName(index: number): string {
  return `part${index}`;
}

/**
 * A model of nothing but some operations of one model, each at its own widths with made-up weights. Data of the same
 * shape is one input for all of them.
 */
export function sideBySide(parts: readonly Sized[]): Model {
  const { model } = parts[0]!.operation;
  const inputs = new Map<string, ValueInfo>();
  const initializers: Tensor[] = [];
  const nodes = parts.map(({ operation, widths }, index): Node => {
    const { node, operands } = operation;
    const names = node.inputs.map(() => '');
    const shapes: number[][] = [];
    for (const { input, dtype, dims, isWeight } of operands) {
      const shape = dims.map((dim) =>
        dim.widths.reduce((product, width) => product * widths[width]!, dim.coefficient),
      );
      shapes.push(shape);
      const name = isWeight ? `${partName(index)} ${input}` : `${dtype} ${shape.join()}`;
      names[input] = name;
      if (isWeight) initializers.push(weightOf(name, dtype as FloatType, shape));
      else inputs.set(name, valueOf(name, shape, dtype));
    }
    const name = partName(index);
    return { ...node, name, inputs: names, outputs: [name], attributes: attributesOf(node, shapes) };
  });
  return {
    ...model,
    functions: [],
    trainingInfo: [],
    graph: {
      ...model.graph,
      nodes,
      initializers,
      sparseInitializers: [],
      inputs: [...inputs.values()],
      outputs: untypedInfos(nodes.map(({ name }) => name)),
      valueInfos: [],
      quantizationAnnotations: [],
    },
  };
}

/** Channels of a convolution over those of one of its groups are its groups. */
function attributesOf(node: Node, dims: readonly (readonly number[])[]): Node['attributes'] {
  const group = node.attributes.get('group');
  if (!group) return node.attributes;
  const [data, weight] = dims;
  const groups = has(node, 'layer') ? data![1]! / weight![1]! : Number(group.value);
  const patched: Attribute = { ...group, type: 'int', value: BigInt(groups) };
  return new Map([...node.attributes, ['group', patched]]);
}

function valueOf(name: string, dims: readonly number[], dtype: DataType): ValueInfo {
  const shape = dims.map((value) => ({ value, denotation: '' }));
  return { name, docString: '', type: { kind: 'tensor', dtype, shape, denotation: '' } };
}

/** Different random numbers in a weight; more would take longer to make than to multiply. */
const distinctNumbers = 4096;

function weightOf(name: string, dtype: FloatType, dims: readonly number[]): Tensor {
  const bytes = new Uint8Array(elementCount(dims) * elementBytes(dtype));
  const some = encodeFloats(fillNormal(new Float32Array(distinctNumbers), randomGenerator(name)), dtype);
  bytes.set(some.subarray(0, bytes.length));
  for (let filled = some.length; filled < bytes.length; filled *= 2) bytes.copyWithin(filled, 0, filled);
  return rawTensor(name, dtype, dims, bytes);
}
