import type { Provider } from '../runtime/runtime.js';

/** The timings of one model, milliseconds a run. */
export interface ModelTiming {
  readonly name: string;
  readonly median: number;
  readonly p90: number;
  readonly minimum: number;
  /** Quartile distance relative to the median: how quiet the machine was. */
  readonly spread: number;
  /** Bytes by which the process grew while the model was loaded and first run; undefined where it didn't. Rough. */
  readonly memory?: number;
  /** Milliseconds by op type as onnxruntime ran it (fused), the median of some runs; with the option `profile`. */
  readonly operators?: Readonly<Record<string, number>>;
  /** Every measured run, in order; run i of all models was taken in the same round. */
  readonly samples: readonly number[];
}

/** How much faster a model is than the first one. */
export interface Comparison {
  readonly name: string;
  readonly baseline: string;
  /** Median of the paired ratios baseline / model: 2 = twice as fast. */
  readonly speedup: number;
  /** Bootstrap interval of that median, 95 %. An interval around 1 says that no difference was measured. */
  readonly interval: readonly [low: number, high: number];
}

export interface BenchResult {
  readonly runtime: string;
  readonly provider: Provider;
  /** For other providers than `cpu`: what the profiler saw each model's nodes run on. */
  readonly placement: readonly {
    readonly name: string;
    readonly nodes: Readonly<Record<string, number>>;
    readonly computeShare: number;
    readonly elsewhere: readonly string[];
  }[];
  /** Undefined = onnxruntime's default. */
  readonly threads: number | undefined;
  /** The shapes that were fed, of the first model. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly seed: number | string;
  readonly warmup: number;
  readonly rounds: number;
  readonly models: readonly ModelTiming[];
  /** Ops that onnxruntime doesn't know: the models were timed without them. Absent where there are none. */
  readonly leftOut?: readonly string[];
  /** Every model after the first against the first. */
  readonly comparisons: readonly Comparison[];
}
