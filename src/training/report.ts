/** A pass over the data. */
export interface PassOutcome {
  /** From 1. */
  readonly pass: number;
  /** Mean loss of its batches, while the weights changed. */
  readonly loss: number;
  /** Loss of its last state on the examples that were held out. */
  readonly heldOut: number;
}

/** How training went: JSON-ready. */
export interface TrainingReport {
  /** What was minimised, in words. */
  readonly loss: string;
  readonly data: string;
  /** Examples that taught, and that judged. */
  readonly examples: number;
  readonly heldOut: number;
  /** Weights that trained: tensors, and elements of them. */
  readonly tensors: number;
  readonly parameters: number;
  /** Steps of the optimizer. */
  readonly steps: number;
  /** Loss on the held-out examples at the beginning, and of the state that was kept. */
  readonly before: number;
  readonly after: number;
  /** Pass whose state was kept; 0: the one that training began with, as none was better. */
  readonly kept: number;
  readonly passes: readonly PassOutcome[];
  /** Why it ended. */
  readonly ended: 'done' | 'patience' | 'diverged';
  /** What went wrong; undefined unless training diverged. */
  readonly message?: string | undefined;
  /** Weights that stayed as they were, with the reason. */
  readonly frozen: readonly { readonly name: string; readonly why: string }[];
  readonly seconds: number;
}

/** Where training is, for those who wait. */
export interface TrainingProgress {
  /** Part of the whole that is done, 0 to 1. */
  readonly share: number;
  /** From 1. */
  readonly pass: number;
  readonly step: number;
  /** Running mean over the last batches. */
  readonly loss: number;
  readonly learningRate: number;
  /** Estimate of the time that is left; undefined at the beginning. */
  readonly secondsLeft: number | undefined;
}
