import * as v from 'valibot';
import { analyzeOptions } from './analyze.js';
import { data } from './data.js';
import { seed } from './measurement.js';
import type { Options, OptionsOf } from './option.js';
import { verifyLevels } from './proof.js';
import { choice } from './values.js';

/** Every option of `verify`. */
export const verifyOptions = {
  ...analyzeOptions,
  /** The content of the plan file that was written with the pruned model. */
  plan: {
    schema: v.unknown(),
    required: true,
    flag: '--plan <file>',
    help: 'the plan that was written with the pruned model',
  },
  /** How much is compared: with `full` every float value. */
  level: {
    schema: choice(verifyLevels.slice(1) as readonly Exclude<(typeof verifyLevels)[number], 'none'>[]),
    default: 'full',
    flag: '--level <level>',
    help: 'what is compared: shapes, sample, outputs, full',
  },
  /** Its first batch is compared too, besides random inputs. */
  data: {
    schema: data,
    flag: '--data <path>',
    group: 'Data:',
    help: 'prove it on the first batch of this data too: .npz, .npy, IDX, CIFAR, a folder of images, or random',
  },
  /** Seed of the random inputs. */
  seed,
} as const satisfies Options;

/** `shapes`, `axisRules` and `allowIo` as they were given to `prune`. */
export interface VerifyOptions extends OptionsOf<typeof verifyOptions> {
  readonly plan: unknown;
}
