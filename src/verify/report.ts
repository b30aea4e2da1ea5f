/**
 * How much is compared: static shapes only; also, on a cut of the graph around each group, all tensors, so that
 * neither model is loaded whole; the outputs and one tensor of every group; or all tensors.
 */
export type ProofLevel = 'shapes' | 'sample' | 'outputs' | 'full';

/** The one that compares least first. */
export const proofLevels: readonly ProofLevel[] = ['shapes', 'sample', 'outputs', 'full'];

/** The first thing that is not as it should be. */
export interface ProofFailure {
  /**
   * What is wrong: inputs or outputs of the graph, a model that doesn't load, a shape, a value, a weight that isn't the
   * dense one's, nothing that could be compared, or the dense model itself.
   */
  readonly kind: 'interface' | 'load' | 'shape' | 'value' | 'weight' | 'nothing' | 'dense';
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

/**
 * What holds for an output of the graph: it was compared itself; it is written by the same nodes of both models from
 * values that were compared; or neither.
 */
export interface OutputProof {
  readonly name: string;
  readonly proof: 'compared' | 'inputs' | 'none';
  /** Why it was not compared itself; undefined where it was. */
  readonly why: string | undefined;
}

export interface VerifyReport {
  readonly passed: boolean;
  readonly level: ProofLevel;
  readonly failure: ProofFailure | undefined;
  /** Shapes of the inputs of every run: made up ones, a second size of the symbolic dims, given data. */
  readonly runs: readonly Readonly<Record<string, readonly number[]>>[];
  /** Cuts that were proved one by one, at level `sample`; else 0. */
  readonly cuts: number;
  /** Tensors compared, over all runs: those that held something, so that a difference would have shown. */
  readonly compared: number;
  /** Largest difference of a tensor, relative to its largest absolute value. */
  readonly maxError: number;
  /** The tensor with the largest error. */
  readonly worst: string | undefined;
  /** Every output of the graph; empty at level `shapes`. */
  readonly outputs: readonly OutputProof[];
  /**
   * Tensors that held nothing with the model's own weights (near zero, saturated, empty) and were compared with re-drawn
   * ones, alike in both models.
   */
  readonly redrawn: readonly string[];
  /** Tensors that are zero (below 1e-6), saturated or empty in all runs, also with re-drawn weights. */
  readonly dead: readonly string[];
  readonly skipped: readonly SkippedValue[];
  /**
   * `sliced`: the pruned model's weights are the dense ones on the kept channels, and its values were compared. `changed`:
   * they are others; all was compared with re-drawn weights, alike in both models.
   */
  readonly weights: 'sliced' | 'changed';
  readonly warnings: readonly string[];
  readonly milliseconds: number;
}
