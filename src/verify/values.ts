import type { Factor } from '../axes/axis.js';
import type { AxisCoupling } from '../axes/couple.js';
import { findConstants } from '../ops/constants.js';
import type { KeptMasks } from '../axes/project.js';
import { isFloat, type DataType } from '../onnx/data-type.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';

/** What a proof can look at. */
export interface ComparableValues {
  /** Float values that depend on the inputs continuously and that both models compute, in graph order. */
  readonly values: readonly string[];
  /** Float values behind a decision (TopK, ArgMax, a comparison), where rounding may turn into anything. */
  readonly unstable: readonly string[];
}

/**
 * Ops whose results jump: a rounding difference in what they read may change them completely, so their inputs are
 * the last values that two models can be compared at. Random ones differ from run to run.
 */
const decisions = new Set(
  `TopK NonMaxSuppression ArgMax ArgMin Hardmax NonZero Unique Round Floor Ceil Sign Mod Equal Greater
   GreaterOrEqual Less LessOrEqual If Loop Scan Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform
   RandomUniformLike`.split(/\s+/),
);
const draws = /^(Bernoulli|Multinomial|Random)/;

export function comparableValues(
  dense: Model,
  pruned: Model,
  dtypeOf: (value: string) => DataType | undefined,
  isTouched: (value: string) => boolean,
): ComparableValues {
  const { graph } = dense;
  const parameters = findConstants(graph);
  const dependent = new Set<string>();
  for (const { name } of graph.inputs) if (!parameters.has(name)) dependent.add(name);
  /** Equal bit by bit in both models: computed from inputs by nodes that the plan leaves alone. */
  const exact = new Set(dependent);
  const unstable = new Set<string>();
  const computed = new Set(pruned.graph.nodes.flatMap((node) => node.outputs));
  const floats = { values: [] as string[], unstable: [] as string[] };
  for (const node of graph.nodes) {
    const inputs = [...node.inputs, ...capturedNames(node)];
    const jumps = isDecision(node, dtypeOf);
    const shaky =
      draws.test(node.opType) ||
      inputs.some((name) => unstable.has(name)) ||
      (jumps && inputs.some((name) => dependent.has(name) && !exact.has(name)));
    // Sizes depend on no data.
    const isSize = node.opType === 'Shape' || node.opType === 'Size';
    const same =
      !shaky &&
      inputs.every((name) => !dependent.has(name) || exact.has(name)) &&
      ![...inputs, ...node.outputs].some(isTouched);
    const depends = shaky || (!isSize && inputs.some((name) => dependent.has(name)));
    for (const name of node.outputs) {
      if (!name) continue;
      const isFloating = isFloat(dtypeOf(name) ?? 'undefined');
      if (shaky) unstable.add(name);
      if (!depends) continue;
      dependent.add(name);
      if (same) exact.add(name);
      if (isFloating && computed.has(name)) floats[shaky ? 'unstable' : 'values'].push(name);
    }
  }
  return floats;
}

function isDecision(node: Node, dtypeOf: (value: string) => DataType | undefined): boolean {
  if (node.domain !== '') return false;
  if (decisions.has(node.opType)) return true;
  return node.opType === 'Cast' && !isFloat(dtypeOf(node.outputs[0]!) ?? 'undefined');
}

/** The outputs, or where they are behind a decision all it was taken from, and one late value of every pruned factor. */
export function representativeValues(
  analysis: AxisCoupling,
  masks: KeptMasks,
  { values, unstable }: ComparableValues,
): string[] {
  const { graph } = analysis.model;
  const comparable = new Set(values);
  const chosen = new Set<string>();
  for (const { name } of graph.outputs) if (comparable.has(name)) chosen.add(name);
  const jumping = new Set(unstable);
  for (const node of graph.nodes) {
    if (!decisions.has(node.opType) && !node.outputs.some((name) => jumping.has(name))) continue;
    for (const name of node.inputs) if (comparable.has(name)) chosen.add(name);
  }
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
