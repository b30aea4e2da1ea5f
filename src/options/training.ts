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

/** `kl`, `mse:boxes*0.5`: losses with an output and a weight, separated by commas. */
function lossesFromText(given: string): unknown {
  return given.split(',').map((part) => {
    const match = /^([^:*]+)(?::(.+?))?(?:\*([^*]+))?$/.exec(part);
    if (!match) return part;
    const [, loss, output, weight] = match;
    if (output === undefined && weight === undefined) return loss;
    return { loss, ...(output && { output }), ...(weight && { weight: Number(weight) }) };
  });
}

const namesFromText = (given: string): unknown => given.split(',');

const group = 'Training:';

/** How a model is trained; see `TrainOptions` of the training room for what each one means. */
export const trainingOptions = {
  distilLoss: {
    schema: v.union([loss, list(loss)]),
    otherwise: 'auto: for each output what suits its values',
    flag: '--distil-loss <names>',
    group,
    help: 'what is minimised, separated by commas: kl, mse, cosine, labels, inner (the ends of residual branches), flow; with an output and a weight as kl:logits*0.5',
    fromText: lossesFromText,
  },
  epochs: {
    schema: wholeNumber(1),
    otherwise: '5, unless --minutes says how long',
    flag: '--epochs <count>',
    group,
    help: 'passes over the data',
  },
  minutes: {
    schema: positiveNumber,
    flag: '--minutes <minutes>',
    group,
    help: 'train this long instead; the result then depends on the clock',
  },
  trainBatch: {
    schema: wholeNumber(1),
    otherwise: '64',
    flag: '--train-batch <size>',
    group,
    help: 'examples a step',
  },
  trainLimit: {
    schema: wholeNumber(1),
    otherwise: 'all that are not held out',
    flag: '--train-limit <count>',
    group,
    help: 'examples to train on at most; --limit is about scores and reconstruction',
  },
  heldOut: {
    schema: wholeNumber(1),
    otherwise: 'a tenth, at most 2048',
    flag: '--held-out <count>',
    group,
    help: 'examples that are held out, to judge which state is kept',
  },
  optimizer: {
    schema: v.union([
      choice(['adamw', 'sgd']),
      made<Optimizer>((value) => 'step' in value, 'give an optimizer with a function step'),
    ]),
    otherwise: 'adamw',
    flag: '--optimizer <name>',
    group,
    help: 'adamw, or sgd with momentum',
  },
  learningRate: {
    schema: positiveNumber,
    otherwise: '2e-3, for sgd 0.02',
    flag: '--learning-rate <number>',
    group,
    help: 'the highest one',
  },
  learningRateSchedule: {
    schema: v.union([choice(rateSchedules), aFunction<(progress: number) => number>()]),
    otherwise: 'one-cycle',
    flag: '--learning-rate-schedule <name>',
    group,
    help: rateSchedules.join(', '),
  },
  warmUp: {
    schema: ratio,
    otherwise: '0',
    flag: '--warm-up <share>',
    group,
    help: 'first share of training over which the rate rises from 0',
  },
  weightDecay: {
    schema: numberFromZero,
    otherwise: '0.01',
    flag: '--weight-decay <number>',
    group,
    help: 'of weights; norms and biases do not decay',
  },
  clipNorm: {
    schema: positiveNumber,
    otherwise: 'none',
    flag: '--clip-norm <number>',
    group,
    help: 'scale gradients down to this norm at most',
  },
  accumulate: {
    schema: wholeNumber(1),
    otherwise: '1',
    flag: '--accumulate <batches>',
    group,
    help: 'batches whose gradients are averaged for one step',
  },
  average: {
    schema: ratio,
    otherwise: 'none',
    flag: '--average <decay>',
    group,
    help: 'judge and keep a moving average of the weights, e.g. 0.999',
  },
  trainable: {
    schema: choice(['all', 'norms', 'biases', 'low-rank'] satisfies TrainableSet[]),
    otherwise: 'all',
    flag: '--trainable <set>',
    group,
    help: 'what trains: all, norms, biases (and norms), low-rank (weights by updates of low rank, merged at the end)',
  },
  rank: {
    schema: wholeNumber(1),
    otherwise: '8',
    flag: '--rank <rank>',
    group,
    help: 'of the updates of --trainable low-rank',
  },
  batchStatistics: {
    schema: toggle,
    flag: '--batch-statistics',
    group,
    help: 'BatchNormalization takes the statistics of the batch while training (default)',
    off: { flag: '--no-batch-statistics', help: 'it keeps those that the model has', value: false },
  },
  augment: {
    schema: list(
      v.union([
        choice(['flip', 'shift', 'crop', 'colour'] satisfies AugmentationName[]),
        aFunction<BatchChange>(),
      ]),
    ),
    otherwise: 'none',
    flag: '--augment <names>',
    group,
    help: 'changes of images, drawn anew for each pass, separated by commas: flip, shift, crop, colour',
    fromText: namesFromText,
  },
  patience: {
    schema: wholeNumber(1),
    otherwise: 'never',
    flag: '--patience <passes>',
    group,
    help: 'end after this many passes without a better state',
  },
  seed,
  teacherMemory: {
    schema: numberFromZero,
    otherwise: '256 MiB',
    flag: '--teacher-memory <bytes>',
    group,
    help: "for the dense model's outputs, which then are computed once an example",
  },
  ...measurementOptions,
  /** Where states are written after each pass, to go on from: a folder, or what keeps them. */
  checkpoint: {
    schema: v.union([text, made<CheckpointStore>(() => true, 'give a folder, or what keeps checkpoints')]),
    flag: '--checkpoint <folder>',
    group,
    help: 'write the state of training after each pass; the last two are kept',
  },
  resume: {
    schema: toggle,
    flag: '--resume',
    group,
    help: 'go on from the last checkpoint of the same training, if there is one',
  },
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
  data: {
    schema: data,
    required: true,
    flag: '--data <path>',
    group: 'Data:',
    help: 'examples to train on: .npz, .npy, IDX, CIFAR, a folder of images, random, or synthetic',
  },
  /** The content of the plan file that was written with the pruned model, for the losses `inner` and `flow`. */
  plan: {
    schema: v.unknown(),
    flag: '--plan <file>',
    help: 'the plan that was written with the pruned model, for --distil-loss inner and flow',
  },
} as const satisfies Options;

export interface TrainOptions extends OptionsOf<typeof trainOptions> {
  readonly data: Data;
}
