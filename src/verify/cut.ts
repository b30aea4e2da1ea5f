import type { AxisCoupling } from '../axes/couple.js';
import { findConstants } from '../ops/constants.js';
import { has } from '../ops/index.js';
import type { Factor } from '../axes/axis.js';
import type { KeptMasks } from '../axes/project.js';
import { tensorInfo } from '../onnx/graph-model.js';
import { isFloat } from '../onnx/data-type.js';
import type { Model, Node, ValueInfo } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import type { InputSpec } from '../runtime/inputs.js';
import { isFeedable } from '../runtime/tensors.js';
import { usedNames } from '../shapes/literals.js';
import { partialModel } from '../shapes/session-model.js';
import type { Shapes } from '../shapes/shapes.js';

/** A part of a graph that is proved by itself. */
export interface Cut {
  /** Values to compare. */
  readonly names: readonly string[];
  /** Float values that it reads and doesn't compute: random inputs of both models. */
  readonly boundary: ReadonlySet<string>;
}

/**
 * Weights of one cut at most, in bytes (a single larger one is a cut of its own): onnxruntime holds them, and so does
 * the message that it is given them in, of both models.
 */
const maxCutBytes = 2 ** 28;

/**
 * Cuts around every pruned factor: the nodes whose operands or results it runs through, from those that make it to
 * those that contract it; and one around each node that writes an output of the graph. Everything that isn't float is
 * computed, back to the graph's inputs. Factors with equal nodes share a cut, and many nodes (those of a residual
 * stream) are cut again where their weights get too large.
 * @param given values that both models are given, whatever they would compute
 */
export function cutsAround(
  analysis: AxisCoupling,
  masks: KeptMasks,
  comparable: ReadonlySet<string>,
  given: ReadonlySet<string>,
  shapes: Shapes,
): Cut[] {
  const { graph } = analysis.model;
  const sources = findConstants(graph);
  const writers = new Map<string, number>();
  graph.nodes.forEach(({ outputs }, index) => {
    for (const name of outputs) if (name !== '') writers.set(name, index);
  });
  const canBeMadeUp = (name: string): boolean =>
    comparable.has(name) &&
    isFloat(shapes.dtypeOf(name) ?? 'undefined') &&
    isFeedable(shapes.dtypeOf(name)) &&
    (shapes.of(name)?.every((dim) => dim !== undefined) ?? false);

  const cuts: Cut[] = [];
  const seen = new Set<string>();
  const last = graph.outputs.flatMap(({ name }) => (writers.has(name) ? [[writers.get(name)!]] : []));
  for (const own of [...nodesByFactor(analysis, masks), ...last])
    for (const piece of pieces(own, graph.nodes, (name) => sources.get(name)?.tensor)) {
      const key = piece.join();
      if (seen.has(key)) continue;
      seen.add(key);
      const names = piece
        .flatMap((index) => graph.nodes[index]!.outputs)
        .filter((name) => comparable.has(name));
      const computed = new Set(piece);
      const boundary = new Set<string>();
      const pending = [...piece];
      for (let index = pending.pop(); index !== undefined; index = pending.pop()) {
        const node = graph.nodes[index]!;
        for (const name of usedNames(node)) {
          const writer = writers.get(name);
          if (writer === undefined || sources.has(name) || computed.has(writer)) continue;
          if (given.has(name) || (canBeMadeUp(name) && !has(node, 'ill-conditioned'))) boundary.add(name);
          else {
            computed.add(writer);
            pending.push(writer);
          }
        }
      }
      // A value that is computed for another reason needn't be made up.
      const missing = [...boundary].filter((name) => !computed.has(writers.get(name)!));
      if (names.length > 0) cuts.push({ names, boundary: new Set(missing) });
    }
  return cuts;
}

/** The part of a model that computes a cut, with the boundary among its inputs. */
export function cutModel(model: Model, { names, boundary }: Cut, shapes: Shapes): Model {
  const { graph } = model;
  const writers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) writers.set(name, node);
  const tensors = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const declared = new Map(graph.inputs.map((info) => [info.name, info]));
  const nodes = new Set<Node>();
  const constants: Tensor[] = [];
  const inputs: ValueInfo[] = [];
  const seen = new Set<string>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const tensor = tensors.get(name);
    const writer = writers.get(name);
    if (boundary.has(name)) inputs.push(tensorInfo(name, shapes.dtypeOf(name)!, rankOf(name, shapes)));
    else if (tensor) constants.push(tensor);
    else if (writer) {
      nodes.add(writer);
      pending.push(...usedNames(writer));
    } else if (declared.has(name)) inputs.push(declared.get(name)!);
  }
  const inOrder = graph.nodes.filter((node) => nodes.has(node));
  return partialModel(model, inOrder, constants, inputs, names);
}

/** What to make up for the boundary of a cut, at the sizes of the dense model. */
export function boundarySpecs({ boundary }: Cut, shapes: Shapes): InputSpec[] {
  return [...boundary].map((name) => {
    const dtype = shapes.dtypeOf(name);
    const shape = shapes.of(name) as readonly number[];
    if (!isFeedable(dtype)) throw new Error(`'${name}' can't be fed`);
    return { name, dtype, shape };
  });
}

/** Sizes are left open: those of the pruned model are others. */
function rankOf(name: string, shapes: Shapes): undefined[] {
  return shapes.of(name)!.map(() => undefined);
}

/** Indices of the nodes that each pruned factor runs through, ascending. */
function nodesByFactor({ model, axes, parameters, system }: AxisCoupling, masks: KeptMasks): number[][] {
  const byFactor = new Map<Factor, Set<number>>([...masks.keys()].map((factor) => [factor, new Set()]));
  const note = (axis: Parameters<typeof system.leaves>[0], node: number): void => {
    for (const leaf of system.leaves(axis)) byFactor.get(leaf.origin?.factor ?? leaf)?.add(node);
  };
  for (const { node, axes: own } of parameters) for (const axis of own) note(axis, node);
  model.graph.nodes.forEach((node, index) => {
    for (const name of [...node.inputs, ...node.outputs])
      for (const axis of axes.get(name) ?? []) note(axis, index);
  });
  return [...byFactor.values()]
    .map((nodes) => [...nodes].sort((a, b) => a - b))
    .filter(({ length }) => length > 0);
}

/** Runs of nodes whose weights take no more than a cut may. */
function pieces(
  indices: readonly number[],
  nodes: readonly Node[],
  tensorOf: (name: string) => Tensor | undefined,
): number[][] {
  const out: number[][] = [];
  let used = Infinity;
  for (const index of indices) {
    let bytes = 0;
    for (const name of nodes[index]!.inputs) bytes += tensorOf(name)?.data.byteLength ?? 0;
    if (used + bytes > maxCutBytes && bytes > 0) {
      out.push([]);
      used = 0;
    } else if (out.length === 0) {
      out.push([]);
      used = 0;
    }
    out.at(-1)!.push(index);
    used += bytes;
  }
  return out;
}
