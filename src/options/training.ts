import * as v from 'valibot';
import type { AugmentationName, BatchChange } from '../training/augment/augmentation.js';
import type { CheckpointStore } from '../training/checkpoint.js';
import type { TrainingLoss } from '../training/losses/loss.js';
import type { DistilLossName, DistilLossSettings } from '../training/losses/resolve.js';
import type { TrainOptions as EngineTrainOptions } from '../training/options.js';
import type { Optimizer } from '../training/optimizers/optimizer.js';
import { rateSchedules } from '../training/rates.js';
import type { RecipeMaker } from '../training/recipes/recipe.js';
import type { RecipeName } from '../training/recipes/resolve.js';
import type { TrainableSet } from '../training/student.js';
import { analyzeOptions } from './analyze.js';
import { data, type Data } from './data.js';
import { measurementOptions, seed } from './measurement.js';
import type { Options, OptionsOf, TableOf } from './option.js';
import {
  aFunction,
  anyNumber,
  choice,
  list,
  made,
  numberFromZero,
  objectOf,
  positiveNumber,
  ratio,
  text,
  toggle,
  wholeNumber,
} from './values.js';

const lossName = choice([
  'auto',
  'kl',
  'mse',
  'cosine',
  'labels',
  'inner',
  'flow',
] satisfies DistilLossName[]);
const lossSettings = {
  loss: { schema: lossName },
  output: { schema: text },
  weight: { schema: anyNumber },
  temperature: { schema: positiveNumber },
  axis: { schema: wholeNumber(Number.MIN_SAFE_INTEGER) },
} as const satisfies TableOf<DistilLossSettings>;

const loss = v.union([
  lossName,
  made<TrainingLoss>((value) => 'emit' in value, 'give a loss with a function emit'),
  objectOf(lossSettings, ['loss']),
]);

/** Ways to prune while training. */
export const recipe = v.union([
  choice([
    'gradual',
    'hesso',
    'hesso-cric',
    'mask-sparsity',
    'annealing',
    'group-lasso',
  ] satisfies RecipeName[]),
  aFunction<RecipeMaker>(),
]);

/** How a model is trained; see `TrainOptions` of the training room for what each one means. */
export const trainingOptions = {
  distilLoss: { schema: v.union([loss, list(loss)]) },
  epochs: { schema: wholeNumber(1) },
  minutes: { schema: positiveNumber },
  trainBatch: { schema: wholeNumber(1) },
  trainLimit: { schema: wholeNumber(1) },
  heldOut: { schema: wholeNumber(1) },
  optimizer: {
    schema: v.union([
      choice(['adamw', 'sgd']),
      made<Optimizer>((value) => 'step' in value, 'give an optimizer with a function step'),
    ]),
  },
  learningRate: { schema: positiveNumber },
  learningRateSchedule: {
    schema: v.union([choice(rateSchedules), aFunction<(progress: number) => number>()]),
  },
  warmUp: { schema: ratio },
  weightDecay: { schema: numberFromZero },
  clipNorm: { schema: positiveNumber },
  accumulate: { schema: wholeNumber(1) },
  average: { schema: ratio },
  trainable: { schema: choice(['all', 'norms', 'biases'] satisfies TrainableSet[]) },
  batchStatistics: { schema: toggle },
  augment: {
    schema: list(
      v.union([
        choice(['flip', 'shift', 'crop', 'colour'] satisfies AugmentationName[]),
        aFunction<BatchChange>(),
      ]),
    ),
  },
  patience: { schema: wholeNumber(1) },
  seed,
  teacherMemory: { schema: numberFromZero },
  ...measurementOptions,
  /** Where states are written after each pass, to go on from: a folder, or what keeps them. */
  checkpoint: {
    schema: v.union([text, made<CheckpointStore>(() => true, 'give a folder, or what keeps checkpoints')]),
  },
  resume: { schema: toggle },
} as const satisfies Omit<TableOf<EngineTrainOptions>, 'checkpoint'> & Options;

/** How a pruned model is trained towards the dense one. */
export const distilOptions = {
  ...trainingOptions,
  /** Examples to train on. Default: those that channels are scored by. */
  data: { schema: data },
} as const satisfies Options;

export type DistilOptions = OptionsOf<typeof distilOptions>;

/** Every option of `train`. */
export const trainOptions = {
  ...analyzeOptions,
  ...trainingOptions,
  /** Examples to train on. */
  data: { schema: data, required: true },
  /** The content of the plan file that was written with the pruned model, for the losses `inner` and `flow`. */
  plan: { schema: v.unknown() },
} as const satisfies Options;

export interface TrainOptions extends OptionsOf<typeof trainOptions> {
  readonly data: Data;
}
