/**
 * How much is compared: static shapes only; also, on a cut of the graph around each group, all float tensors, so that
 * neither model is loaded whole; the outputs and one tensor of every group; or all float tensors.
 */
export type ProofLevel = 'shapes' | 'sample' | 'outputs' | 'full';

/** The one that compares least first. */
export const proofLevels: readonly ProofLevel[] = ['shapes', 'sample', 'outputs', 'full'];

/** The first thing that is not as it should be. */
export interface ProofFailure {
  readonly kind: 'load' | 'shape' | 'value';
  /** Name of the tensor, and the node that writes it. */
  readonly value: string;
  readonly node: string;
  readonly op: string;
  /** One line: what was expected and what came. */
  readonly message: string;
}

/** A tensor that could not be compared. */
export interface SkippedValue {
  readonly value: string;
  readonly why: string;
}

export interface VerifyReport {
  readonly passed: boolean;
  readonly level: ProofLevel;
  readonly failure: ProofFailure | undefined;
  /** Shapes of the inputs of every run: made up ones, a second size of the symbolic dims, given data. */
  readonly runs: readonly Readonly<Record<string, readonly number[]>>[];
  /** Cuts that were proved one by one, at level `sample`; else 0. */
  readonly cuts: number;
  /** Tensors compared, over all runs. */
  readonly compared: number;
  /** Largest difference of a tensor, relative to its largest absolute value. */
  readonly maxError: number;
  /** The tensor with the largest error. */
  readonly worst: string | undefined;
  /** Tensors that are zero (below 1e-6) in all runs: their agreement proves nothing. */
  readonly dead: readonly string[];
  readonly skipped: readonly SkippedValue[];
  readonly milliseconds: number;
}
