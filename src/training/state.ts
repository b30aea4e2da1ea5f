import type { Optimizer } from './optimizers/optimizer.js';
import type { PassOutcome } from './report.js';
import { copyValues, type Values } from './values.js';

/** Everything that training goes on from: with the same data and options the next passes are the same. */
export interface TrainingState {
  readonly values: Values;
  /** What the optimizer keeps, by the name of the weight. */
  readonly slots: ReadonlyMap<string, readonly Float32Array[]>;
  /** Moving average of the values, where there is one. */
  average: Values | undefined;
  /** The best state so far, judged by the held-out examples; its loss, and its pass (0: the beginning). */
  best: Values;
  bestLoss: number;
  bestPass: number;
  /** Loss at the beginning; undefined before it was taken. */
  firstLoss: number | undefined;
  readonly passes: PassOutcome[];
  /** Steps of the optimizer that were taken. */
  step: number;
  milliseconds: number;
}

export function firstState(
  values: Values,
  trainable: readonly string[],
  optimizer: Optimizer,
): TrainingState {
  const slotsOf = (name: string): Float32Array[] =>
    Array.from({ length: optimizer.slots }, () => new Float32Array(values.get(name)!.length));
  return {
    values,
    slots: new Map(trainable.map((name) => [name, slotsOf(name)])),
    average: undefined,
    best: copyValues(values),
    bestLoss: Infinity,
    bestPass: 0,
    firstLoss: undefined,
    passes: [],
    step: 0,
    milliseconds: 0,
  };
}
