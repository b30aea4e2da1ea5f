import * as v from 'valibot';
import { reconstructDefaults } from '../reconstruct/defaults.js';
import { repairs } from '../reconstruct/repair.js';
import type { ReconstructOptions } from '../reconstruct/reconstruct.js';
import type { Options, OptionsOf, TableOf } from './option.js';
import { choice, numberFromZero, objectOf, toggle, wholeNumber } from './values.js';

const group = 'Data:';

/** What can be repaired, or nothing. */
export const repairOrNone = choice([...repairs, 'none']);

/** See `ReconstructOptions` for what each one means. */
const reconstruction = {
  repair: { schema: choice(repairs), default: reconstructDefaults.repair },
  damping: { schema: numberFromZero, default: reconstructDefaults.damping },
  maxRows: { schema: wholeNumber(1), default: reconstructDefaults.maxRows },
  seed: { schema: wholeNumber(0), otherwise: 'that of the run' },
  shortcuts: { schema: toggle, default: reconstructDefaults.shortcuts },
} as const satisfies TableOf<ReconstructOptions>;

/** What is changed, on data, to make up for removed channels. */
export const repairOptions = {
  /**
   * Solve for the remaining weights so that every layer comes as close as it can to the dense model's, on `data`; or what
   * else to repair. Default: true where there is `data`.
   */
  reconstruct: {
    schema: v.union([toggle, objectOf(reconstruction)], 'use true, false or an object'),
    flag: '--reconstruct',
    group,
    help: 'solve for the remaining weights on the data (default where there is data)',
    off: { flag: '--no-reconstruct', help: 'slice weights and change nothing else', value: false },
  },
  /**
   * Where weights are solved for: gives channels that pass nothing but linear ops (linear bottlenecks, dims of attention
   * heads) the basis in which the fewest of them matter, before they are scored.
   */
  rotation: {
    schema: toggle,
    default: true,
    flag: '--rotation',
    group,
    help: 'where weights are solved for: channels that pass only linear ops are rotated before, so that fewer of them matter',
    off: { flag: '--no-rotation', help: 'remove channels as they are', value: false },
  },
} as const satisfies Options;

export type RepairOptions = OptionsOf<typeof repairOptions>;
