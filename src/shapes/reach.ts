import { intAttribute, intsAttribute } from '../onnx/attributes.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model, Node } from '../onnx/model.js';
import { parameterOf } from '../onnx/schema.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { integersOf } from '../onnx/values.js';
import { literalsOf, usedNames } from './literals.js';
import { isPointwise } from './ranks.js';
import type { Dims } from './session-model.js';

/** Of a value: whether each of its entries may depend on a symbolic dim, or one answer for all of them. */
export type Reach = boolean | readonly boolean[];

/** Whether a symbolic dim may reach any entry. */
export const isReached = (reach: Reach): boolean =>
  typeof reach === 'boolean' ? reach : reach.includes(true);

export const isEntryReached = (reach: Reach, entry: number): boolean =>
  typeof reach === 'boolean' ? reach : reach[entry]!;

/**
 * What of the sizes that a graph computes may depend on its symbolic dims: by data flow, entry by entry through the
 * ops that shape arithmetic is made of, and value by value through all others. What is computed from elements of an
 * input counts as reached.
 * @param openShapeOf dims that hold at every size, `Variation.open`
 */
export function reachOf(
  model: Model,
  openShapeOf: (value: string) => Dims | undefined,
): (value: string) => Reach {
  const literals = literalsOf(model.graph);
  const opset = opsetOf(model);
  const found = new Map<string, Reach>();
  const reach = (name: string): Reach =>
    literals.has(name) || name === '' ? false : (found.get(name) ?? true);
  const lengthOf = (name: string): number | undefined => {
    const dims = literals.get(name)?.dims ?? openShapeOf(name);
    return dims?.every((dim) => dim !== undefined) ? elementCount(dims) : undefined;
  };
  const entriesOf = (name: string): readonly boolean[] | undefined => {
    const own = reach(name);
    const length = lengthOf(name);
    if (typeof own !== 'boolean') return own;
    return length === undefined ? undefined : new Array<boolean>(length).fill(own);
  };
  /** A parameter that stands in the file. */
  const literal = (node: Node, name: string): readonly number[] | undefined => {
    const place = parameterOf(node, opset, name);
    if (place.source === 'attribute') return intsAttribute(node, place.attribute);
    const tensor: Tensor | undefined =
      place.source === 'input' ? literals.get(node.inputs[place.index]!) : undefined;
    return tensor && integersOf(tensor);
  };

  const entries = (node: Node): Reach | undefined => {
    const [x = ''] = node.inputs;
    if (node.domain !== '') return undefined;
    if (isPointwise(node)) {
      const out = pointwise(node.inputs.map(entriesOf));
      return out && out.length === lengthOf(node.outputs[0]!) ? out : undefined;
    }
    switch (node.opType) {
      case 'Shape':
      case 'Size': {
        const dims = literals.get(x)?.dims ?? openShapeOf(x);
        const open = dims?.map((dim) => dim === undefined) ?? true;
        if (open === true || node.opType === 'Size') return isReached(open);
        return open.slice(intAttribute(node, 'start'), intAttribute(node, 'end'));
      }
      case 'Concat': {
        const parts = node.inputs.map(entriesOf);
        return parts.every((part) => part !== undefined) && isVector(node.outputs[0]!)
          ? parts.flat()
          : undefined;
      }
      case 'Gather': {
        const picked = literals.get(node.inputs[1]!);
        const from = isVector(x) && entriesOf(x);
        const indices = picked && integersOf(picked);
        return from && indices?.every((i) => i >= -from.length && i < from.length)
          ? indices.map((i) => from.at(i)!)
          : undefined;
      }
      case 'Slice': {
        const from = isVector(x) && entriesOf(x);
        const [start, end, step = 1] = ['starts', 'ends', 'steps'].map((name) => literal(node, name)?.[0]);
        const isPlain = step === 1 && node.inputs.slice(1).every((name) => name === '' || literals.has(name));
        return from && isPlain && start !== undefined && end !== undefined
          ? from.slice(start, end)
          : undefined;
      }
      case 'Cast':
      case 'Flatten':
      case 'Identity':
      case 'Reshape':
      case 'Squeeze':
      case 'Unsqueeze':
        return node.inputs.slice(1).some((name) => isReached(reach(name))) ? undefined : entriesOf(x);
      default:
        return undefined;
    }
  };
  const isVector = (name: string): boolean => (literals.get(name)?.dims ?? openShapeOf(name))?.length === 1;

  for (const node of model.graph.nodes) {
    const own = entries(node);
    const whole = own ?? usedNames(node).some((name) => isReached(reach(name)));
    for (const name of node.outputs) if (name !== '') found.set(name, isReached(whole) && whole);
  }
  return reach;
}

/** Of operands of one length, or that are one entry. */
function pointwise(operands: readonly (readonly boolean[] | undefined)[]): readonly boolean[] | undefined {
  const known = operands.filter((operand) => operand !== undefined);
  if (known.length < operands.length) return undefined;
  const length = Math.max(...known.map((operand) => operand.length));
  if (!known.every((operand) => operand.length === length || operand.length === 1)) return undefined;
  return Array.from({ length }, (_, i) => known.some((operand) => operand[operand.length === 1 ? 0 : i]!));
}
