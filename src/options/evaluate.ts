import type { Metric } from '../evaluate/metric.js';
import { commonOptions } from './common.js';
import { data, type Data } from './data.js';
import { measurementOptions } from './measurement.js';
import { modelSource } from './model-source.js';
import type { Options, OptionsOf } from './option.js';
import { aFunction, text } from './values.js';

/** Every option of `robustness`. */
export const robustnessOptions = {
  ...commonOptions,
  /** What to run it on. */
  data: {
    schema: data,
    required: true,
    flag: '--data <path>',
    group: 'Data:',
    help: '.npz, .npy, IDX, CIFAR, a folder of images, or random',
  },
  /** The output with class scores. Default: the first of shape [batch, classes]. */
  output: {
    schema: text,
    otherwise: 'the first of shape [batch, classes]',
    flag: '--scores <output>',
    help: 'output with the class scores',
  },
  ...measurementOptions,
} as const satisfies Options;

/** Every option of `evaluate`. */
export const evaluateOptions = {
  ...robustnessOptions,
  /** Compare outputs with this model's, on the same batches. */
  reference: {
    schema: modelSource,
    flag: '--reference <model>',
    help: 'compare outputs with those of this model, e.g. the dense one',
  },
  /** Judges a batch by its outputs; the result is the mean over examples. */
  metric: { schema: aFunction<Metric>() },
} as const satisfies Options;

export interface RobustnessOptions extends OptionsOf<typeof robustnessOptions> {
  readonly data: Data;
}

export interface EvaluateOptions extends OptionsOf<typeof evaluateOptions> {
  readonly data: Data;
}
