import type { ConstantSource } from '../ops/constants.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model, Node } from '../onnx/model.js';
import { parameterOf } from '../ops/parameters.js';
import { NoRelation, type OpContext } from './rule.js';

/** What is known of values before their axes are. */
export interface ValueFacts {
  /** Static dims; entries undefined where they depend on data; undefined if the rank is unknown. */
  shapeOf(value: string): readonly (number | undefined)[] | undefined;
  /** Elements of a small constant value of shapes, indices or scales; undefined if it isn't one. */
  numbersOf(value: string): readonly number[] | undefined;
}

/** A node as its rule sees it. */
export function opContext(
  model: Model,
  node: Node,
  facts: ValueFacts,
  sources: ReadonlyMap<string, ConstantSource>,
): OpContext {
  const dims = (value: string | undefined, what: string): readonly number[] => {
    const shape = value ? (sources.get(value)?.tensor.dims ?? facts.shapeOf(value)) : undefined;
    if (!shape) throw new NoRelation(`the shape of ${what} is unknown`);
    return shape.map((dim) => dim ?? NaN);
  };
  const numbers = (input: number): readonly number[] => {
    const values = facts.numbersOf(node.inputs[input] ?? '');
    if (!values) throw new NoRelation(`input ${input} ('${node.inputs[input]}') is computed from data`);
    return values;
  };
  const opset = opsetOf(model, node.domain);
  return {
    node,
    opset,
    inputCount: node.inputs.length,
    outputCount: node.outputs.length,
    has: (input) => !!node.inputs[input],
    shape: (input) => dims(node.inputs[input], `input ${input}`),
    outputShape: (output = 0) => dims(node.outputs[output], `output ${output}`),
    isParameter: (input) => sources.has(node.inputs[input] ?? ''),
    numbers,
    parameter: (name) => {
      const found = parameterOf(node, opset, name);
      if (found.source === 'absent') return undefined;
      if (found.source === 'input') return numbers(found.index);
      const attribute = node.attributes.get(found.attribute);
      if (attribute?.type === 'ints') return attribute.value.map(Number);
      if (attribute?.type === 'floats') return attribute.value;
      return attribute?.type === 'int' ? [Number(attribute.value)] : undefined;
    },
  };
}
