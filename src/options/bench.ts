import { modelOptions } from './analyze.js';
import { commonOptions } from './common.js';
import { measurementOptions, seed } from './measurement.js';
import type { Options, OptionsOf } from './option.js';
import { numberFromZero, share, toggle, wholeNumber } from './values.js';

const group = 'Measurement:';

/** Every option of `bench`. */
export const benchOptions = {
  ...commonOptions,
  /** Shapes by input name, for all models. */
  shapes: modelOptions.shapes,
  ...measurementOptions,
  /** Size of symbolic leading axes. Default 1. */
  batch: { schema: wholeNumber(1) },
  /** Unmeasured runs of each model. */
  warmup: {
    schema: wholeNumber(0),
    default: 5,
    flag: '--warmup <runs>',
    group,
    help: 'unmeasured runs of each model',
  },
  /** Measured rounds (one run of each model). Default: as many as `minSeconds` take, but at least 10. */
  runs: {
    schema: wholeNumber(1),
    otherwise: 'as many as --min-seconds take, at least 10',
    flag: '--runs <rounds>',
    group,
    help: 'measured runs of each model',
  },
  /** How long to measure at least; of no effect with `runs`. */
  minSeconds: {
    schema: numberFromZero,
    default: 3,
    flag: '--min-seconds <seconds>',
    group,
    help: 'how long to measure at least',
  },
  /**
   * Go on until the intervals of all speedups are no wider than this share to either side, e.g. 0.02, or `maxSeconds`
   * have passed. Of no effect with `runs`.
   */
  halfWidth: {
    schema: share,
    flag: '--half-width <share>',
    group,
    help: 'go on until intervals are this narrow to either side, e.g. 0.02',
  },
  /** How long to go on with `halfWidth`. */
  maxSeconds: {
    schema: numberFromZero,
    default: 60,
    flag: '--max-seconds <seconds>',
    group,
    help: 'how long to go on with --half-width',
  },
  /** Also time each kind of op with onnxruntime's profiler. */
  profile: {
    schema: toggle,
    default: false,
    flag: '--profile',
    group,
    help: 'also show the time by kind of op: which got faster, and which did not',
  },
  /** Seed of the inputs. */
  seed,
} as const satisfies Options;

export type BenchOptions = OptionsOf<typeof benchOptions>;
