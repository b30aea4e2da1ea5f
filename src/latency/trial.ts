import { bench } from '../bench/bench.js';
import type { Model } from '../onnx/model.js';
import type { LatencyOptions } from './latency.js';

/** How a model compares with the dense one. */
export interface Trial {
  /** Median of the paired shares. */
  readonly share: number;
  /** 95 % interval of `share`. */
  readonly interval: readonly [low: number, high: number];
}

/** How long a trial takes: at least and at most so many seconds, in between until the interval is narrow. */
export interface Patience {
  readonly minSeconds: number;
  readonly maxSeconds: number;
}

/** A trial goes on until the interval is this narrow to either side. */
const halfWidth = 0.015;

/** Runs a pruned model end to end, in turn with the dense one. */
export async function tryOut(
  dense: Model,
  pruned: Model,
  patience: Patience,
  { runtime, provider = 'cpu', threads, signal, shapes }: LatencyOptions,
): Promise<Trial> {
  const { comparisons } = await bench(
    [
      { name: 'dense', model: dense },
      { name: 'pruned', model: pruned },
    ],
    {
      ...{ runtime, provider, halfWidth },
      ...patience,
      ...(threads !== undefined && { threads }),
      ...(signal && { signal }),
      ...(shapes && { shapes }),
    },
  );
  const { speedup, interval } = comparisons[0]!;
  return { share: 1 / speedup, interval: [1 / interval[1], 1 / interval[0]] };
}
