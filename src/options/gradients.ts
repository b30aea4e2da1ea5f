import { commonOptions } from './common.js';
import { data, type Data } from './data.js';
import { measurementOptions } from './measurement.js';
import type { Options, OptionsOf } from './option.js';
import { scoringOptions } from './scoring.js';
import { list, text } from './values.js';

/** Every option of `gradients`. */
export const gradientOptions = {
  ...commonOptions,
  /** Inputs, and labels or targets where the loss needs them. */
  data: { schema: data, required: true },
  /** Default `cross-entropy`. */
  loss: { schema: scoringOptions.loss.schema },
  /** Names of float32 values: initializers, Constant outputs, graph inputs, intermediates. Default: all float initializers. */
  wrt: { schema: list(text) },
  threads: measurementOptions.threads,
} as const satisfies Options;

export interface GradientOptions extends OptionsOf<typeof gradientOptions> {
  readonly data: Data;
}
