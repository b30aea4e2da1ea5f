import type { Axis } from '../axes/axis.js';
import type { Node } from '../onnx/model.js';

/** What a cost rule may ask of the node it prices. */
export interface CostContext {
  readonly node: Node;
  /** Axes of an input; empty where it is absent or a scalar. @throws UnknownShape if its rank is unknown. */
  input(index: number): readonly Axis[];
  /** Axes of an output (default the first). @throws UnknownShape if its rank is unknown. */
  output(index?: number): readonly Axis[];
}

/** The multiply-adds of one node. */
export interface Price {
  /** A sum of products of extents: one list of axes per summand. */
  readonly terms: readonly (readonly Axis[])[];
  /** Inputs that are multiplied: those that are constants are the node's weights (biases are not). */
  readonly operands: readonly number[];
}

export type CostRule = (op: CostContext) => Price;

/** Rules by op type; other domains as `domain::Op`. An op without a rule costs no multiply-adds. */
export type CostRules = Readonly<Record<string, CostRule>>;

/** Thrown by a context; the node is then listed as unpriced. */
export class UnknownShape extends Error {}
