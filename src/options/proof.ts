import { data } from './data.js';
import type { Options } from './option.js';
import { choice } from './values.js';

/** How much is compared, from nothing to every float value. */
export const verifyLevels = ['none', 'shapes', 'sample', 'outputs', 'full'] as const;

export type VerifyLevel = (typeof verifyLevels)[number];

const group = 'Proof:';

export const proofOptions = {
  /**
   * How much of the surgery is proved. Default `outputs`; with more than 1 GiB of weights `sample`, which runs a cut of
   * the graph around each group instead of the whole.
   */
  verify: {
    schema: choice(verifyLevels),
    otherwise: 'outputs; sample over 1 GiB of weights',
    flag: '--verify <level>',
    group,
    help: 'what is compared: shapes, sample (a cut around each group), outputs (and one tensor a group), full (every float value), none',
    off: { flag: '--no-verify', help: 'skip the proof', value: 'none' },
  },
  /** Inputs to prove it on besides random ones: its first batch. */
  verifyData: {
    schema: data,
    flag: '--verify-data <path>',
    group,
    help: 'prove it on the first batch of this data too; see Data',
  },
} as const satisfies Options;
