import type { Optimizer } from './optimizers/optimizer.js';
import type { PassOutcome } from './report.js';
import { copyValues, type Values } from './values.js';

/** Everything that training goes on from: with the same data and options the next passes are the same. */
export interface TrainingState {
  readonly values: Values;
  /** What the optimizer moves: some of the values, or what they follow from. */
  readonly leaves: Values;
  /** What the optimizer keeps, by the name of the leaf. */
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

export function firstState(values: Values, leaves: Values, optimizer: Optimizer): TrainingState {
  const slotsOf = ({ length }: Float32Array): Float32Array[] =>
    Array.from({ length: optimizer.slots }, () => new Float32Array(length));
  return {
    values,
    leaves,
    slots: new Map([...leaves].map(([name, own]) => [name, slotsOf(own)])),
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
