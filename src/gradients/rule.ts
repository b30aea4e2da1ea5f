import type { Node } from '../onnx/model.js';
import type { Emitter } from './emitter.js';

/** What a rule sees of the node whose cotangents it passes on. All shapes are static. */
export interface GradientContext {
  readonly node: Node;
  readonly opset: number;
  readonly emit: Emitter;
  readonly inputCount: number;
  readonly outputCount: number;
  has(input: number): boolean;
  /** @throws PruneError `unsupported` if it is not static */
  shape(input: number): readonly number[];
  outputShape(output?: number): readonly number[];
  /** The forward value of an input, to be used in the backward graph. It is computed only if it is used in the end. */
  input(input: number): string;
  output(output?: number): string;
  /** Cotangent of an output, of its shape; zeros where nothing depends on it. */
  grad(output?: number): string;
  hasGrad(output: number): boolean;
  /** Whether the cotangent of an input is asked for. */
  wants(input: number): boolean;
  /** A parameter that is an attribute or a constant input, whatever the opset; undefined if it is left out. */
  parameter(name: string): readonly number[] | undefined;
  /** Elements of a constant integer input; undefined if it is computed from data. */
  numbers(input: number): readonly number[] | undefined;
  /** @throws PruneError `unsupported`, saying why this node has no gradient */
  refuse(why: string): never;
}

/** Cotangents of the inputs, each of its input's shape; undefined where there is none. */
export type GradientRule = (context: GradientContext) => readonly (string | undefined)[];

/** Rules by op type. */
export type GradientRules = Readonly<Record<string, GradientRule>>;

/** The same rule for several ops, named in one string. */
export function ruleFor(ops: string, rule: GradientRule): GradientRules {
  return Object.fromEntries(ops.split(/\s+/).map((op) => [op, rule]));
}

export function axisIndex(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** 0, 1, … n − 1. */
export function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}

/** The permutation that undoes `perm`. */
export function inverse(perm: readonly number[]): number[] {
  const out = new Array<number>(perm.length);
  perm.forEach((axis, i) => (out[axis] = i));
  return out;
}
