import type { AxisCoupling } from '../axes/couple.js';
import { nodeLabel } from '../onnx/names.js';
import type { Factor } from '../axes/axis.js';
import type { KeptMasks } from '../axes/project.js';
import { findConstants } from '../ops/constants.js';
import { has } from '../ops/index.js';
import { isFloat, type DataType } from '../onnx/data-type.js';
import type { Graph, Model, Node } from '../onnx/model.js';
import { isFeedable } from '../runtime/tensors.js';
import { usedNames } from '../shapes/literals.js';
import { drawsNumbers, jumps } from './decisions.js';
import type { SkippedValue } from './report.js';

/** A node that can't be run alike in both models: it draws random numbers, or onnxruntime doesn't know it. */
export interface OpaqueNode {
  /** Index in the dense graph. */
  readonly index: number;
  readonly why: string;
  /** Whether the dense model can run it, so that both are given what it wrote there; else that is made up. */
  readonly runs: boolean;
}

/** What a proof looks at, of the dense model's values. */
export interface Observation {
  /** Tensors that depend on the inputs' elements and that both models compute, in graph order. */
  readonly values: readonly string[];
  /**
   * Values that a decision is taken from (an index, a comparison, a rounding), where a difference of a rounding may turn into
   * anything. The pruned model's are compared, and then it goes on with those of the dense model.
   */
  readonly pinned: ReadonlySet<string>;
  readonly opaque: readonly OpaqueNode[];
  /** Outputs of opaque nodes, the same in both models. */
  readonly given: ReadonlySet<string>;
  /** Values that differ where decisions fall otherwise: comparable only with pinned values. */
  readonly unsteady: ReadonlySet<string>;
  /** Values that can't be computed or fetched. */
  readonly hidden: readonly SkippedValue[];
}

export interface ObservationInput {
  readonly dense: Model;
  readonly pruned: Model;
  /** Nodes that onnxruntime doesn't know, by index. */
  readonly unknown: ReadonlyMap<number, string>;
  readonly dtypeOf: (value: string) => DataType | undefined;
  readonly shapeOf: (value: string) => readonly (number | undefined)[] | undefined;
  /** Whether an axis of the value loses something. */
  readonly isTouched: (value: string) => boolean;
}

/** Follows data through the dense model: what is exact, what may differ by roundings, what can't be seen. */
export function observe(input: ObservationInput): Observation {
  const { dense, pruned, unknown, dtypeOf, shapeOf, isTouched } = input;
  const { graph } = dense;
  const constants = findConstants(graph);
  const inputs = graph.inputs.filter(({ name }) => !constants.has(name)).map(({ name }) => name);
  const dependent = new Set(inputs);
  /** Not equal bit by bit in both models: computed by a node that the plan touches, or from such values. */
  const rounded = new Set<string>();
  const unsteady = new Set<string>();
  const lost = new Map<string, string>();
  const outside = new Set(graph.outputs.map(({ name }) => name));
  const computed = new Set(pruned.graph.nodes.flatMap(({ outputs }) => outputs));
  const [values, hidden, opaque]: [string[], SkippedValue[], OpaqueNode[]] = [[], [], []];
  const [pinned, given] = [new Set<string>(), new Set<string>()];
  const lose = (names: readonly string[], why: string): void => {
    for (const value of names) {
      dependent.add(value);
      lost.set(value, why);
      hidden.push({ value, why });
    }
  };

  graph.nodes.forEach((node, index) => {
    const reads = usedNames(node);
    const outputs = node.outputs.filter(Boolean);
    const blind = reads.map((name) => lost.get(name)).find((why) => why !== undefined);
    if (blind !== undefined) return lose(outputs, blind);
    const reason = unknown.get(index);
    const why = reason ?? (drawsNumbers(node) ? 'it is drawn at random' : undefined);
    if (why !== undefined) {
      opaque.push({ index, why, runs: reason === undefined });
      for (const name of outputs) {
        if (!isFeedable(dtypeOf(name)) || (reason !== undefined && !isStatic(shapeOf(name))))
          lose([name], `it is behind '${nodeLabel(node, index)}': ${why}`);
        else {
          given.add(name);
          dependent.add(name);
          unsteady.add(name);
        }
      }
      return;
    }
    const decides = reads.some((name) => rounded.has(name)) && jumps(node, dtypeOf);
    const unpinned = decides ? reads.filter((name) => rounded.has(name) && !pinned.has(name)) : [];
    const unfit = unpinned.find((name) => !isFeedable(dtypeOf(name)) || !computed.has(name));
    if (unfit !== undefined)
      return lose(outputs, `it is behind a decision, taken from '${unfit}', which can't be fed`);
    for (const name of unpinned) {
      pinned.add(name);
      rounded.delete(name);
    }
    // Sizes depend on no data.
    const depends = !has(node, 'sizes') && reads.some((name) => dependent.has(name));
    const shaky = decides || reads.some((name) => unsteady.has(name));
    const rounds = !decides && reads.some((name) => rounded.has(name));
    const touches = [...reads, ...outputs].some(isTouched);
    for (const name of outputs) {
      if (constants.has(name) || !(depends || outside.has(name))) continue;
      if (depends) dependent.add(name);
      const dtype = dtypeOf(name);
      if (rounds || (touches && isFloat(dtype ?? 'undefined'))) rounded.add(name);
      if (shaky) unsteady.add(name);
      if (computed.has(name) && (isFeedable(dtype) || dtype === 'string')) values.push(name);
    }
  });
  return { values, pinned, opaque, given, unsteady, hidden };
}

const isStatic = (shape: readonly (number | undefined)[] | undefined): boolean =>
  shape?.every((dim) => dim !== undefined) ?? false;

/** The outputs, what decisions are taken from, what opaque nodes read, and one late value of every pruned factor. */
export function representativeValues(
  { graph }: Model,
  analysis: AxisCoupling,
  masks: KeptMasks,
  { values, pinned, opaque }: Observation,
): string[] {
  const chosen = new Set<string>(pinned);
  for (const { name } of graph.outputs) chosen.add(name);
  for (const { index } of opaque) for (const name of usedNames(graph.nodes[index]!)) chosen.add(name);
  const last = new Map<Factor, string>();
  for (const name of values)
    for (const axis of analysis.axes.get(name) ?? [])
      for (const leaf of analysis.system.leaves(axis)) {
        const factor = leaf.origin?.factor ?? leaf;
        if (masks.has(factor)) last.set(factor, name);
      }
  for (const name of last.values()) chosen.add(name);
  return values.filter((name) => chosen.has(name));
}

/** The node that writes each value. */
export function writersOf({ nodes }: Graph): Map<string, { readonly node: Node; readonly index: number }> {
  const writers = new Map<string, { readonly node: Node; readonly index: number }>();
  nodes.forEach((node, index) => {
    for (const name of node.outputs) if (name) writers.set(name, { node, index });
  });
  return writers;
}
