import type { Runtime } from '../runtime/runtime.js';
import type { OptionsOf, Options } from './option.js';
import { aFunction, made } from './values.js';

/** The steps of a run, as progress callbacks name them. */
export type Phase =
  | 'shapes'
  | 'axes'
  | 'depth'
  | 'rotation'
  | 'score'
  | 'select'
  | 'reconstruct'
  | 'rewrite'
  | 'verify'
  | 'bench'
  | 'measure'
  | 'gradients'
  | 'evaluate'
  | 'sweep'
  | 'train'
  | 'sparsify';

export interface Progress {
  readonly phase: Phase;
  readonly done: number;
  readonly total: number;
  /** What is being worked on, e.g. a tensor's name. */
  readonly detail?: string;
}

/** What every long function takes; only a program can give these. */
export const commonOptions = {
  /** Aborts at the next step; the promise rejects with code `aborted`. */
  signal: {
    schema: made<AbortSignal>((value) => 'aborted' in value, 'give an AbortSignal'),
  },
  /** Called as the work goes on. */
  onProgress: { schema: aFunction<(progress: Progress) => void>() },
  /** What runs models. Default: onnxruntime-node on the CPU. */
  runtime: {
    schema: made<Runtime>((value) => 'load' in value, 'give a runtime, e.g. await nodeRuntime()'),
  },
} as const satisfies Options;

export type CommonOptions = OptionsOf<typeof commonOptions>;
