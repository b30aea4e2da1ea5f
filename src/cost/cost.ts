import type { Axis, Factor } from '../axes/axis.js';
import type { ParameterUse } from '../axes/couple.js';
import { multipliedInputs } from '../axes/products.js';
import type { Grouping } from '../groups/group.js';
import { bitsOf, isWeightType } from '../onnx/data-type.js';
import { has } from '../ops/index.js';
import type { Monomial } from './polynomial.js';
import { ExtentTable, TermTable } from './terms.js';

/** The number of indices of a factor, as `keptCount(plan)` gives it; asked only for factors of groups. */
export type SizeOf = (factor: Factor) => number;

/** Names of what can be counted. */
export type Measure = 'macs' | 'parameters' | 'bytes' | 'weights';

export interface NodeCost {
  readonly macs: number;
  readonly parameters: number;
  readonly bytes: number;
}

/**
 * Costs of a model under any plan, without rewriting it: polynomials in the sizes of the groups' factors, exact.
 * Without a count every method gives the cost of the dense model.
 *
 * Constants count as a framework would count unshared weights: once for each use, but once for a tensor that is
 * tied (`ParameterSource.tied`). Quantized weights count, other integer constants (shapes, indices) don't. Only the main
 * graph counts.
 */
export interface CostModel {
  /** Multiply-adds of Conv, ConvTranspose, Gemm, MatMul, Einsum, LSTM, GRU and RNN at the analysed shapes. */
  macs(count?: SizeOf): number;
  /** Elements of float constants and of quantized ones. */
  parameters(count?: SizeOf): number;
  /** Their bytes. */
  bytes(count?: SizeOf): number;
  /** Elements of the weights that are multiplied in a node with multiply-adds: no biases, no normalisation. */
  weights(count?: SizeOf): number;
  /** One entry per node of the graph; a tied constant counts at its first use. */
  byNode(count?: SizeOf): readonly NodeCost[];
  /** The constants that count, each once. */
  readonly counted: readonly ParameterUse[];
  /** Those of `counted` that are weights of a node with multiply-adds. */
  readonly operands: ReadonlySet<ParameterUse>;
  /** The extent of an axis as a polynomial in the sizes of the groups' factors. */
  extentOf(axis: Axis): readonly Monomial[];
  /** Nodes whose multiply-adds are not (wholly) known as a shape depends on data; such an extent counts as 1. */
  readonly unpriced: readonly number[];
}

/** Compiles the costs of a model: what was stated of its nodes tells what they multiply. */
export function costModel(grouping: Grouping): CostModel {
  const { analysis, groups } = grouping;
  const { nodes } = analysis.model.graph;
  // Which positions an axis has after a permutation depends on which channels go: atoms are variables of their own.
  const factors = groups.flatMap(({ factor, pinned }) =>
    pinned ? [factor, ...analysis.system.leaves(factor).filter(({ blocker }) => !blocker)] : [factor],
  );
  const extents = new ExtentTable(analysis.system, new Map(factors.map((factor, i) => [factor, i] as const)));

  const counted = countedParameters(analysis.parameters);
  const operands = operandsOf(grouping, counted);

  const tables: Record<Measure, TermTable> = {
    macs: new TermTable(extents),
    parameters: new TermTable(extents),
    bytes: new TermTable(extents),
    weights: new TermTable(extents),
  };
  analysis.relations.forEach((relation, node) => {
    for (const axes of relation?.products ?? []) tables.macs.add(node, 1, axes);
  });
  for (const use of counted) {
    tables.parameters.add(use.node, 1, use.axes);
    tables.bytes.add(use.node, bitsOf(use.source.tensor.dtype)! / 8, use.axes);
    if (operands.has(use)) tables.weights.add(use.node, 1, use.axes);
  }

  const extentsAt = (count: SizeOf = ({ size }) => size): Float64Array =>
    extents.evaluate(Float64Array.from(factors, count));
  return {
    macs: (count) => tables.macs.total(extentsAt(count)),
    parameters: (count) => tables.parameters.total(extentsAt(count)),
    bytes: (count) => tables.bytes.total(extentsAt(count)),
    weights: (count) => tables.weights.total(extentsAt(count)),
    byNode: (count) => {
      const values = extentsAt(count);
      const column = (measure: Measure): Float64Array => {
        const out = new Float64Array(nodes.length);
        tables[measure].addByNode(values, out);
        return out;
      };
      const [macs, parameters, bytes] = [column('macs'), column('parameters'), column('bytes')];
      return nodes.map((_, i) => ({ macs: macs[i]!, parameters: parameters[i]!, bytes: bytes[i]! }));
    },
    counted,
    operands,
    extentOf: (axis) => extents.polynomial(axis),
    unpriced: unpricedNodes(grouping),
  };
}

/** Costs of a model that was made from another one: without a count, those of the other. */
export function relativeTo(dense: CostModel, cost: CostModel): CostModel {
  const whole: SizeOf = ({ size }) => size;
  const of = (measure: Measure) => (count?: SizeOf) => (count ? cost[measure](count) : dense[measure]());
  return {
    ...cost,
    ...{ macs: of('macs'), parameters: of('parameters'), bytes: of('bytes'), weights: of('weights') },
    byNode: (count = whole) => cost.byNode(count),
  };
}

/** Nodes with multiply-adds that their relation doesn't tell, or that depend on a size which is not known. */
function unpricedNodes({ analysis }: Grouping): number[] {
  const unpriced: number[] = [];
  analysis.model.graph.nodes.forEach((node, index) => {
    const products = analysis.relations[index]?.products;
    if (products ? products.flat().some(({ size }) => Number.isNaN(size)) : has(node, 'contracts'))
      unpriced.push(index);
  });
  return unpriced;
}

function countedParameters(parameters: readonly ParameterUse[]): ParameterUse[] {
  const seen = new Set<string>();
  return parameters.filter(({ source }) => {
    if (!isWeightType(source.tensor.dtype)) return false;
    if (!source.tied) return true;
    if (seen.has(source.name)) return false;
    seen.add(source.name);
    return true;
  });
}

/** Weights that a priced node multiplies, directly or behind ops that only rearrange them. */
function operandsOf({ analysis }: Grouping, counted: readonly ParameterUse[]): Set<ParameterUse> {
  const { parameters, roles, relations } = analysis;
  const isOperand = (node: number, input: number): boolean => {
    const relation = relations[node];
    return relation !== undefined && multipliedInputs(relation).includes(input);
  };
  const operands = new Set<ParameterUse>();
  const tied = new Set<string>();
  const add = (use: ParameterUse): void => {
    operands.add(use);
    if (use.source.tied) tied.add(use.source.name);
  };
  for (const use of parameters) if (isOperand(use.node, use.input)) add(use);
  for (const { parameter, node, input } of roles)
    if (parameter !== undefined && isOperand(node, input)) add(parameters[parameter]!);
  return new Set(
    counted.filter((use) => operands.has(use) || (use.source.tied && tied.has(use.source.name))),
  );
}
