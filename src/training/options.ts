import { PruneError } from '../errors.js';
import type { Provider } from '../runtime/runtime.js';
import type { AugmentationSpec } from './augment/augmentation.js';
import type { CheckpointStore } from './checkpoint.js';
import type { DistilLossSpec } from './losses/resolve.js';
import type { Optimizer } from './optimizers/optimizer.js';
import type { RateSpec } from './rates.js';
import type { TrainableSet } from './student.js';

/** How a model is trained. */
export interface TrainOptions {
  /** What is minimised: parts that add up. Default: for each output of the dense model what suits it (`auto`). */
  readonly distilLoss?: DistilLossSpec | readonly DistilLossSpec[] | undefined;
  /** Passes over the data. Default 5, unless `minutes` says how long. */
  readonly epochs?: number | undefined;
  /** Time for training instead of passes; the result then depends on the clock. */
  readonly minutes?: number | undefined;
  /** Examples a batch, where they can be drawn one by one and the model doesn't fix it. Default 64. */
  readonly trainBatch?: number | undefined;
  /** Examples that teach, at most. Default: all but those held out. */
  readonly trainLimit?: number | undefined;
  /** Examples held out to judge by. Default: a tenth, at most 2,048. */
  readonly heldOut?: number | undefined;
  /** Default `adamw`. */
  readonly optimizer?: 'adamw' | 'sgd' | Optimizer | undefined;
  /** The highest one. Default 2e-3, for `sgd` 0.02. */
  readonly learningRate?: number | undefined;
  /** Default `one-cycle`. */
  readonly learningRateSchedule?: RateSpec | undefined;
  /** First share of training over which the rate rises from 0, before its schedule begins. Default 0. */
  readonly warmUp?: number | undefined;
  /** Share of a weight that goes with each step, times the learning rate; norms and biases don't decay. Default 0.01. */
  readonly weightDecay?: number | undefined;
  /** Largest l2 norm of all gradients together; longer ones are scaled down. Default: none. */
  readonly clipNorm?: number | undefined;
  /** Batches whose gradients are averaged for one step. Default 1. */
  readonly accumulate?: number | undefined;
  /** Decay of a moving average of the weights, which then is what is judged and kept. Default: none. */
  readonly average?: number | undefined;
  /** Default `all`. */
  readonly trainable?: TrainableSet | undefined;
  /** Rank of the updates of `low-rank`. Default 8. */
  readonly rank?: number | undefined;
  /** Whether normalisation layers with running statistics take those of the batch. Default true. */
  readonly batchStatistics?: boolean | undefined;
  /** Changes to the inputs, drawn anew for each example and pass; the dense model sees them too. Default: none. */
  readonly augment?: readonly AugmentationSpec[] | undefined;
  /** Passes without a better state after which training ends. Default: never. */
  readonly patience?: number | undefined;
  /** Seed of orders, held-out examples and augmentations. Default 0. */
  readonly seed?: number | undefined;
  /** Bytes for the dense model's values, which then are computed once an example. Default 256 MiB. */
  readonly teacherMemory?: number | undefined;
  readonly threads?: number | undefined;
  /** Default `cpu`. */
  readonly provider?: Provider | undefined;
  /** Where states are written after each pass, to go on from. */
  readonly checkpoint?: CheckpointStore | undefined;
  /** Whether to go on from the last checkpoint, if there is one. Default false. */
  readonly resume?: boolean | undefined;
}

export const defaultTeacherMemory = 2 ** 28;
export const defaultRank = 8;

const defaultEpochs = 5;
const defaultRates: Readonly<Record<string, number>> = { adamw: 2e-3, sgd: 0.02 };
const defaultDecay = 0.01;

/** Options that the loop reads, with defaults filled in. */
export interface LoopSettings {
  readonly epochs: number;
  /** Milliseconds; Infinity without a limit. */
  readonly timeLimit: number;
  readonly learningRate: number;
  readonly schedule: RateSpec;
  readonly warmUp: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly accumulate: number;
  readonly average: number | undefined;
  readonly patience: number;
  readonly seed: number;
}

/** @throws PruneError `invalid-option` naming what is wrong */
export function loopSettings(options: TrainOptions, optimizer: string): LoopSettings {
  const { epochs, minutes, learningRate, weightDecay, clipNorm, accumulate, average, warmUp } = options;
  if (epochs !== undefined && minutes !== undefined)
    throw new PruneError('invalid-option', 'epochs and minutes both say how long to train; give one of them');
  count('epochs', epochs);
  count('accumulate', accumulate);
  count('train batch', options.trainBatch);
  count('train limit', options.trainLimit);
  count('held out', options.heldOut);
  count('patience', options.patience);
  count('rank', options.rank);
  positive('minutes', minutes);
  positive('learning rate', learningRate);
  positive('clip norm', clipNorm);
  below('weight decay', weightDecay);
  below('average', average);
  below('warm-up', warmUp);
  return {
    epochs: minutes === undefined ? (epochs ?? defaultEpochs) : Infinity,
    timeLimit: minutes === undefined ? Infinity : 60_000 * minutes,
    learningRate: learningRate ?? defaultRates[optimizer] ?? defaultRates['adamw']!,
    schedule: options.learningRateSchedule ?? 'one-cycle',
    warmUp: warmUp ?? 0,
    weightDecay: weightDecay ?? defaultDecay,
    clipNorm: clipNorm ?? Infinity,
    accumulate: accumulate ?? 1,
    average,
    patience: options.patience ?? Infinity,
    seed: options.seed ?? 0,
  };
}

function count(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) return;
  throw new PruneError('invalid-option', `invalid ${name}: ${value}; give a whole number from 1`);
}

function positive(name: string, value: number | undefined): void {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return;
  throw new PruneError('invalid-option', `invalid ${name}: ${value}; give a positive number`);
}

function below(name: string, value: number | undefined): void {
  if (value === undefined || (value >= 0 && value < 1)) return;
  throw new PruneError('invalid-option', `invalid ${name}: ${value}; give at least 0 and less than 1`);
}
