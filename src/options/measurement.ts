import type { LatencyCache } from '../latency/measure.js';
import { providers } from '../runtime/runtime.js';
import type { Options } from './option.js';
import { choice, made, wholeNumber } from './values.js';

const group = 'Measurement:';

/** Where something is timed. */
export const measurementOptions = {
  /** Where sessions run whose latency or outputs are measured. */
  provider: {
    schema: choice(providers),
    default: 'cpu',
    flag: '--provider <name>',
    group,
    help: 'what runs it: cpu, cuda or webgpu, checked with the profiler',
  },
  /** Threads inside an op for measurements. Default: onnxruntime's, one a core. */
  threads: {
    schema: wholeNumber(1),
    otherwise: 'one a core',
    flag: '--threads <count>',
    group,
    help: 'threads inside an op',
  },
} as const satisfies Options;

/** Latencies of ops that were measured before. */
export const latencyCache = {
  schema: made<LatencyCache>((value) => 'get' in value && 'set' in value, 'give an object with get and set'),
} as const;

/** Seed of everything random. */
export const seed = {
  schema: wholeNumber(0),
  default: 0,
  flag: '--seed <number>',
  help: 'seed of everything random',
} as const;
