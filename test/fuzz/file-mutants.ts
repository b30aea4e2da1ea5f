/** Pruned files that are wrong in one place: what `prune verify` must refuse, unless it makes no difference. */
import { withAttribute } from '../../src/onnx/attributes.js';
import type { Graph, Model, Node } from '../../src/onnx/model.js';
import { elementCount, type Tensor } from '../../src/onnx/tensor.js';
import { floatsOf, floatTensor, integersOf, integerTensor, type FloatType } from '../../src/onnx/values.js';
import { findConstants } from '../../src/ops/constants.js';
import { has, operandIndex } from '../../src/ops/index.js';
import { integerBelow, type RandomGenerator } from '../../src/random/random.js';

export interface FileMutant {
  readonly kind: string;
  readonly what: string;
  readonly model: Model;
}

/** What mutations may ask of the file: shapes at the pinned sizes. */
export interface Subject {
  readonly model: Model;
  readonly shapeOf: (value: string) => readonly (number | undefined)[] | undefined;
  readonly dtypeOf: (value: string) => string | number | undefined;
}

type Mutation = (subject: Subject, random: RandomGenerator) => FileMutant | undefined;

/** By kind; each returns undefined where the file has no place for it. */
export const mutations: Readonly<Record<string, Mutation>> = {
  'weights permuted': ({ model }, random) =>
    changeFloats(model, random, (values) => {
      const i = integerBelow(values.length, random);
      const other = values.findIndex((x, k) => k > i && x !== values[i]);
      const j = other < 0 ? values.findIndex((x) => x !== values[i]) : other;
      if (j < 0) return false;
      [values[i], values[j]] = [values[j]!, values[i]!];
      return true;
    }),
  'weight changed': ({ model }, random) =>
    changeFloats(model, random, (values) => {
      values[integerBelow(values.length, random)]! += 0.5;
      return true;
    }),
  'bias or scale dropped': ({ model }, random) => {
    const constants = findConstants(model.graph);
    const found = pick(model.graph.nodes.flatMap((node, index) =>
      (['bias', 'scale'] as const).flatMap((operand) => {
        const at = operandIndex(node, operand);
        const tensor = at === undefined ? undefined : constants.get(node.inputs[at] ?? '')?.tensor;
        const isNeutral = tensor?.dtype === 'float32' && floatsOf(tensor).every((x) => x === (operand === 'bias' ? 0 : 1)); // prettier-ignore
        return tensor?.dtype === 'float32' && !isNeutral ? [{ node, index, at: at!, tensor, operand }] : [];
      })), random); // prettier-ignore
    if (!found) return undefined;
    const { node, index, at, tensor, operand } = found;
    const neutral = floatTensor('mutant', new Float32Array(elementCount(tensor.dims)).fill(operand === 'bias' ? 0 : 1), tensor.dims); // prettier-ignore
    const changed = withNode(model, index, { ...node, inputs: node.inputs.with(at, 'mutant') });
    return { kind: '', what: `${operand} of ${labelOf(node, index)}`, model: withTensors(changed, neutral) };
  },
  'index or size shifted': ({ model }, random) => {
    const found = pick(constantUses(model).filter(({ tensor }) => tensor.dtype === 'int64'), random); // prettier-ignore
    if (!found) return undefined;
    const { node, index, at, tensor } = found;
    const values = integersOf(tensor);
    const i = integerBelow(values.length, random);
    if (values.length === 0) return undefined;
    values[i]! += random() < 0.5 ? 1 : -1;
    const mutant = integerTensor('mutant', values, tensor.dims);
    const changed = withNode(model, index, { ...node, inputs: node.inputs.with(at, 'mutant') });
    return { kind: '', what: `element ${i} of input ${at} of ${labelOf(node, index)}`, model: withTensors(changed, mutant) }; // prettier-ignore
  },
  'attribute changed': ({ model }, random) => {
    const found = pick(model.graph.nodes.flatMap((node, index) =>
      [...node.attributes.values()].flatMap((attribute) =>
        node.opType !== 'Constant' && ['int', 'ints', 'float'].includes(attribute.type) ? [{ node, index, attribute }] : [])), random); // prettier-ignore
    if (!found) return undefined;
    const { node, index, attribute } = found;
    const { name } = attribute;
    let changed: Node | undefined;
    if (attribute.type === 'int') changed = withAttribute(node, name, { type: 'int', value: attribute.value + 1n }); // prettier-ignore
    if (attribute.type === 'float') changed = withAttribute(node, name, { type: 'float', value: attribute.value * 1.5 + 0.01 }); // prettier-ignore
    if (attribute.type === 'ints' && attribute.value.length > 0) {
      const i = integerBelow(attribute.value.length, random);
      changed = withAttribute(node, name, { type: 'ints', value: attribute.value.with(i, attribute.value[i]! + 1n) }); // prettier-ignore
    }
    return changed && { kind: '', what: `${name} of ${labelOf(node, index)}`, model: withNode(model, index, changed) }; // prettier-ignore
  },
  'outputs swapped, renamed or replaced': ({ model }, random) => {
    const { outputs, nodes } = model.graph;
    const turn = integerBelow(3, random);
    if (turn === 0 && outputs.length > 1)
      return { kind: '', what: 'the first two swapped', model: withGraph(model, { outputs: [outputs[1]!, outputs[0]!, ...outputs.slice(2)] }) }; // prettier-ignore
    const last = nodes.findLastIndex((node) => node.outputs.includes(outputs[0]!.name));
    const { name } = outputs[0]!;
    const node = nodes[last]!;
    if (turn === 1) {
      const renamed = withNode(model, last, { ...node, outputs: node.outputs.map((o) => (o === name ? 'mutant' : o)) }); // prettier-ignore
      return { kind: '', what: 'renamed', model: withGraph(renamed, { outputs: outputs.map((o) => (o.name === name ? { ...o, name: 'mutant' } : o)) }) }; // prettier-ignore
    }
    const inner = { ...node, outputs: node.outputs.map((o) => (o === name ? 'mutant' : o)) };
    const abs: Node = { ...node, name: 'mutant', opType: 'Abs', domain: '', inputs: ['mutant'], outputs: [name], attributes: new Map() }; // prettier-ignore
    return { kind: '', what: 'replaced by its absolute values', model: withGraph(model, { nodes: [...nodes.with(last, inner), abs] }) }; // prettier-ignore
  },
  'size baked in': ({ model, shapeOf }, random) => {
    const constants = findConstants(model.graph);
    const found = pick(model.graph.nodes.flatMap((node, index) => {
      const shape = has(node, 'reshapes', 'expands') ? shapeOf(node.outputs[0]!) : undefined;
      const constant = constants.get(node.inputs[1] ?? '')?.tensor;
      const isOpen = constant === undefined || (constant.dtype === 'int64' && integersOf(constant).some((size) => size < 1)); // prettier-ignore
      return shape?.every((dim) => dim !== undefined) && isOpen && node.inputs.length === 2 ? [{ node, index, shape }] : [];
    }), random); // prettier-ignore
    if (!found) return undefined;
    const { node, index, shape } = found;
    const mutant = integerTensor('mutant', shape);
    const changed = withNode(model, index, { ...node, inputs: node.inputs.with(1, 'mutant') });
    return { kind: '', what: `target of ${labelOf(node, index)}`, model: withTensors(changed, mutant) };
  },
  'node rewired': ({ model, shapeOf, dtypeOf }, random) => {
    const { nodes } = model.graph;
    const constants = findConstants(model.graph);
    const index = integerBelow(nodes.length, random);
    const node = nodes[index]!;
    const at = integerBelow(Math.max(1, node.inputs.length), random);
    const name = node.inputs[at];
    if (!name || constants.has(name)) return undefined;
    const key = `${dtypeOf(name)}${shapeOf(name)?.join()}`;
    const before = nodes.slice(0, index).flatMap(({ outputs }) => outputs);
    const other = pick(before.filter((o) => o && o !== name && !constants.has(o) && `${dtypeOf(o)}${shapeOf(o)?.join()}` === key), random); // prettier-ignore
    return other === undefined
      ? undefined
      : { kind: '', what: `input ${at} of ${labelOf(node, index)} reads '${other}'`, model: withNode(model, index, { ...node, inputs: node.inputs.with(at, other) }) }; // prettier-ignore
  },
  'op changed': ({ model }, random) => {
    const found = pick(model.graph.nodes.flatMap((node, index) => (swaps[node.opType] ? [{ node, index }] : [])), random); // prettier-ignore
    if (!found) return undefined;
    const { node, index } = found;
    const opType = swaps[node.opType]!;
    return { kind: '', what: `${labelOf(node, index)} becomes ${opType}`, model: withNode(model, index, { ...node, opType }) }; // prettier-ignore
  },
};

const swaps: Readonly<Record<string, string>> = {
  Relu: 'Abs', Add: 'Sub', Sub: 'Add', Mul: 'Add', Div: 'Mul', Sigmoid: 'Tanh', Tanh: 'Sigmoid', Max: 'Min', Min: 'Max',
  MaxPool: 'AveragePool', GlobalAveragePool: 'GlobalMaxPool', ReduceMean: 'ReduceMax', ReduceMax: 'ReduceMin', ArgMax: 'ArgMin',
  Softmax: 'LogSoftmax', HardSwish: 'Relu', HardSigmoid: 'Sigmoid', Erf: 'Tanh', Sqrt: 'Abs', Exp: 'Abs', Pow: 'Mul',
  Greater: 'Less', Equal: 'Greater', LeakyRelu: 'Elu',
}; // prettier-ignore

/** A mutant of a kind, drawn; undefined where a few draws find no place. */
export function drawMutant(kind: string, subject: Subject, random: RandomGenerator): FileMutant | undefined {
  for (let draw = 0; draw < 10; draw++) {
    const mutant = mutations[kind]!(subject, random);
    if (mutant) return { ...mutant, kind };
  }
  return undefined;
}

/** The same new weights under the same names: a normal number for each element of each float initializer. */
export function redrawn(model: Model, draw: (name: string) => RandomGenerator): Model {
  const initializers = model.graph.initializers.map((tensor) => {
    if (tensor.dtype !== 'float32' || elementCount(tensor.dims) < 2) return tensor;
    const random = draw(tensor.name);
    const share = 1 / Math.sqrt(elementCount(tensor.dims) / tensor.dims[0]!);
    const isVector = tensor.dims.filter((dim) => dim > 1).length < 2;
    // Vectors are positive: variances are among them.
    return floatTensor(tensor.name, floatsOf(tensor).map(() => (isVector ? 0.5 + random() : (2 * random() - 1) * share * 1.7)), tensor.dims); // prettier-ignore
  });
  return withGraph(model, { initializers });
}

function changeFloats(
  model: Model,
  random: RandomGenerator,
  change: (values: Float32Array) => boolean,
): FileMutant | undefined {
  const tensor = pick(model.graph.initializers.filter(({ dtype, dims }) => dtype === 'float32' && elementCount(dims) > 1), random); // prettier-ignore
  if (!tensor) return undefined;
  const values = Float32Array.from(floatsOf(tensor));
  if (!change(values)) return undefined;
  const other = floatTensor(tensor.name, values, tensor.dims, tensor.dtype as FloatType);
  const initializers = model.graph.initializers.map((t) => (t.name === tensor.name ? other : t));
  return { kind: '', what: `in '${tensor.name}'`, model: withGraph(model, { initializers }) };
}

function constantUses({ graph }: Model) {
  const constants = findConstants(graph);
  return graph.nodes.flatMap((node, index) =>
    node.inputs.flatMap((name, at) => {
      const tensor = constants.get(name)?.tensor;
      return tensor ? [{ node, index, at, tensor }] : [];
    }),
  );
}

const labelOf = (node: Node, index: number): string => `${node.opType} '${node.name || `#${index}`}'`;

function pick<T>(list: readonly T[], random: RandomGenerator): T | undefined {
  return list.length === 0 ? undefined : list[integerBelow(list.length, random)];
}

const withGraph = (model: Model, graph: Partial<Graph>): Model => ({ ...model, graph: { ...model.graph, ...graph } }); // prettier-ignore
const withNode = (model: Model, index: number, node: Node): Model => withGraph(model, { nodes: model.graph.nodes.with(index, node) }); // prettier-ignore
const withTensors = (model: Model, ...tensors: readonly Tensor[]): Model => withGraph(model, { initializers: [...model.graph.initializers, ...tensors] }); // prettier-ignore
