import type { AxisCoupling } from '../axes/couple.js';
import { findConstants } from '../ops/constants.js';
import { isFloat } from '../onnx/data-type.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { encodeFloats, floatsOf, withBytes, type Floats, type FloatType } from '../onnx/values.js';
import { fillNormal, randomGenerator } from '../random/random.js';
import { placesIn } from './constant-uses.js';
import { deadBelow } from './tolerance.js';
import { has } from '../ops/index.js';

/** What a constant is to the nodes that read it. */
type Part = 'weight' | 'scale' | 'shift' | 'mean' | 'variance' | 'other';

/** A constant to be drawn anew. */
interface Draw {
  readonly tensor: Tensor;
  /** Nodes of the analysis that it is a part of, by index. */
  readonly nodes: Set<number>;
  part: Part;
  /** Terms of each sum that a weight goes into. */
  terms: number;
}

/**
 * Other values for the weights of a model, such that what it computes is neither zero nor out of range: weights are
 * normal with a variance of 1 over the number of terms (He et al., 2015, arXiv:1502.01852, without the gain), scales and
 * variances uniform in [0.5, 1.5], shifts and means normal with deviation 0.5. Constants of one element (epsilons, bounds,
 * temperatures) stay, and so do tables and masks, unless they are zero: those are normal.
 * @returns tensors by the names of the constants
 */
export function redrawWeights(
  analysis: AxisCoupling,
  model: Model,
  seed: number | string,
): Map<string, Tensor> {
  const redrawn = new Map<string, Tensor>();
  for (const [name, { tensor, part, terms }] of drawsOf(analysis, model)) {
    const random = randomGenerator(`weights:${seed}:${name}`);
    const values = fillNormal(new Float32Array(elementCount(tensor.dims)), random);
    if (part === 'other' && floatsOf(tensor).some((x) => Math.abs(x) >= deadBelow)) continue;
    const draw = rules[part](terms);
    for (let i = 0; i < values.length; i++) values[i] = draw(values[i]!, random);
    redrawn.set(name, withFloats(tensor, values));
  }
  return redrawn;
}

const aroundOne = (_: number, random: () => number): number => 0.5 + random();
const rules: Readonly<Record<Part, (terms: number) => (normal: number, random: () => number) => number>> = {
  weight: (terms) => (normal) => normal / Math.sqrt(terms),
  scale: () => aroundOne,
  variance: () => aroundOne,
  shift: () => (normal) => 0.5 * normal,
  mean: () => (normal) => 0.5 * normal,
  other: () => (normal) => normal,
};

/** The float constants of more than one element that nodes read, with what they are to them. */
export function drawsOf(analysis: AxisCoupling, model: Model): Map<string, Draw> {
  const { parameters, roles } = analysis;
  const { graph } = model;
  const sources = findConstants(graph);
  const places = placesIn(analysis, model);
  const sourceAt = (node: number, input: number) => {
    const place = places.get(node);
    return place === undefined ? undefined : sources.get(graph.nodes[place]!.inputs[input]!);
  };
  const kept = new Set(graph.nodes.flatMap(capturedNames));
  for (const { name } of graph.outputs) kept.add(name);
  const draws = new Map<string, Draw>();
  for (const { node, input } of parameters) {
    const source = sourceAt(node, input);
    if (!source || kept.has(source.name) || draws.has(source.name)) continue;
    const { tensor } = source;
    if (isFloat(tensor.dtype) && elementCount(tensor.dims) > 1)
      draws.set(source.name, { tensor, nodes: new Set(), part: 'other', terms: 1 });
  }
  // Terms: all elements but those along axes that are produced.
  const produced = new Map<string, number>();
  for (const { node, input, role, expression, parameter } of roles) {
    const use = parameter === undefined ? undefined : parameters[parameter];
    const name = use && sourceAt(use.node, use.input)?.name;
    const draw = name === undefined ? undefined : draws.get(name);
    if (!draw) continue;
    if (role === 'contract' || role === 'produce') draw.part = 'weight';
    else if (draw.part !== 'weight' && role in rules) draw.part = role as Part;
    draw.nodes.add(node);
    const key = `${node}:${input}:${name}`;
    if (role === 'produce' || role === 'batch')
      produced.set(key, (produced.get(key) ?? 1) * Math.max(1, expression.size));
    draw.terms = Math.max(1, elementCount(draw.tensor.dims) / (produced.get(key) ?? 1));
  }
  return draws;
}

/** The tensor with other elements, of its own type. */
export function withFloats(tensor: Tensor, values: Floats): Tensor {
  return withBytes(tensor, encodeFloats(values, tensor.dtype as FloatType));
}

/** The model with other constants under their own names; nodes keep their places. */
export function withConstants(model: Model, constants: ReadonlyMap<string, Tensor>): Model {
  const { graph } = model;
  const initializers = graph.initializers.map((tensor) => constants.get(tensor.name) ?? tensor);
  const nodes = graph.nodes.map((node): Node => {
    const tensor = has(node, 'literal') ? constants.get(node.outputs[0] ?? '') : undefined;
    if (!tensor) return node;
    const value = { name: 'value', docString: '', reference: '', type: 'tensor', value: tensor } as const;
    return { ...node, attributes: new Map([['value', value]]) };
  });
  return { ...model, graph: { ...graph, nodes, initializers } };
}
