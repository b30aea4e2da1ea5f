import type { Node } from '../onnx/model.js';
import type { AxisChange } from '../plan/projection.js';

/** What a rewrite rule may ask of the node it is applied to. */
export interface RewriteContext {
  readonly node: Node;
  readonly opset: number;
  readonly outputCount: number;
  has(input: number): boolean;
  /** The axes of an input, or of the first output. */
  input(input: number): readonly AxisChange[];
  output(output?: number): readonly AxisChange[];
  /** The size in the pruned model of an expression of the relation's letters. */
  extent(letters: string): number;
  /**
   * Integers of a parameter in the dense model, whether the opset has it as an attribute or as an input.
   * Undefined if absent or computed from data.
   */
  integers(name: string): readonly number[] | undefined;
}

/** What of a node has to follow its axes, besides its weights. */
export interface NodeChange {
  /** New values of integer attributes. */
  readonly int?: Readonly<Record<string, number>>;
  /** New values of float attributes; undefined leaves one as it is. */
  readonly float?: Readonly<Record<string, number | undefined>>;
  /**
   * New values of integer lists that are attributes or inputs, whichever the opset says. An entry equal to the dense
   * one is left as it is, so that what is computed in the graph stays computed.
   */
  readonly ints?: Readonly<Record<string, readonly number[] | undefined>>;
  /** Attributes that would contradict the new ones. */
  readonly without?: readonly string[];
}

export interface RewriteRule {
  /** The parameters that `change` asks for. */
  readonly reads: readonly string[];
  change(op: RewriteContext): NodeChange;
}

/** Rules by op type; other domains as `domain::Op`. Ops that are not listed hold no sizes but those that their relation tells. */
export type RewriteRules = Readonly<Record<string, RewriteRule>>;

/** Number of kept positions in [0, end). */
export function keptBefore({ mask }: AxisChange, end: number): number {
  if (!mask) return end;
  let count = 0;
  for (let i = 0; i < end; i++) count += mask[i]!;
  return count;
}

/** A possibly negative axis as an index. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);
