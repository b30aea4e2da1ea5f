import type { Node } from '../onnx/model.js';
import { microsoftName } from '../ops/op.js';
import type { Relation } from './relation.js';

/** What a rule may ask of the node it is applied to. Everything it can't know blocks the node with a reason. */
export interface OpContext {
  readonly node: Node;
  readonly opset: number;
  readonly inputCount: number;
  readonly outputCount: number;
  has(input: number): boolean;
  /** Static dims; NaN where they depend on data. @throws NoRelation if the rank is unknown. */
  shape(input: number): readonly number[];
  outputShape(output?: number): readonly number[];
  /** Whether the input is an initializer or a Constant (possibly behind Identity). */
  isParameter(input: number): boolean;
  /** Elements of a constant input. @throws NoRelation if it is computed from data. */
  numbers(input: number): readonly number[];
  /**
   * Numbers of a parameter that is an attribute or an input, whichever the opset says; undefined if absent.
   * @throws NoRelation if it is an input computed from data.
   */
  parameter(name: string): readonly number[] | undefined;
}

/** Thrown by a rule that can't relate the axes of a node; `message` is the reason shown to the user. */
export class NoRelation extends Error {}

/** The axis rule of an op: its notation, or how to derive it from the node. */
export type AxisRule = string | Relation | ((op: OpContext) => string | Relation);

/** Rules by op type; other domains as `domain::Op`. */
export type AxisRules = Readonly<Record<string, AxisRule>>;

/** A relation of which every axis is blocked: it says nothing but what the op costs. */
export function blocked(relation: Relation, why: string): Relation {
  const notation = relation.notation.replace(/#?(…|[A-Za-z]\w*)/g, '#$1');
  return { ...relation, notation, why };
}

/** The operands that a node has, `_` for one it leaves out. @throws NoRelation if it has more than are known. */
export function presentInputs(op: OpContext, ...patterns: readonly string[]): string {
  if (op.inputCount > patterns.length) throw new NoRelation(`input ${patterns.length} is not known`);
  const present = patterns.slice(0, op.inputCount);
  return present.map((pattern, input) => (op.has(input) ? pattern : '_')).join(', ');
}

/** Letters `a b c …` for the axes of a tensor of the given rank. */
export function letters(rank: number, prefix = ''): string[] {
  return Array.from({ length: rank }, (_, i) =>
    prefix ? `${prefix}${i}` : i < 26 ? String.fromCharCode(97 + i) : `a${i}`,
  );
}

/** A possibly negative axis as an index. @throws NoRelation if out of range. */
export function axisIndex(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis;
  if (index < 0 || index >= rank) throw new NoRelation(`axis ${axis} is out of range for rank ${rank}`);
  return index;
}

/** The same rule for each op of a list of words. */
export function ruleFor(ops: string, rule: AxisRule): AxisRules {
  return Object.fromEntries(words(ops).map((op) => [op, rule]));
}

/** The same rule for each of onnxruntime's own ops of a list of words. */
export function microsoft(ops: string, rule: AxisRule): AxisRules {
  return Object.fromEntries(words(ops).map((op) => [microsoftName(op), rule]));
}

const words = (list: string): string[] => list.trim().split(/\s+/);
