import { emptyNamed } from '../onnx/named.js';
import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { PruneError, throwIfAborted } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import type { Model } from '../onnx/model.js';
import { inputSpecs, randomInputs } from '../runtime/inputs.js';
import { assertProvider } from '../runtime/providers.js';
import type { ProfiledNode, Provider, Runtime, SessionOptions } from '../runtime/runtime.js';
import type { BenchResult, ModelTiming } from './result.js';
import { median, pairedSpeedup, quantile } from './statistics.js';

export interface BenchModel {
  readonly name: string;
  /** A model, or the bytes of its file. */
  readonly model: Model | Uint8Array;
}

export interface BenchOptions {
  readonly runtime: Runtime;
  /** Default `cpu`. Another one is checked with the profiler first. */
  readonly provider?: Provider;
  /** Shapes by input name, for all models. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Size of symbolic leading axes. Default 1. */
  readonly batch?: number;
  /** Threads inside an op. Default: onnxruntime's, one a core. */
  readonly threads?: number;
  /** Seed of the inputs. Default 0. */
  readonly seed?: number | string;
  /** Unmeasured runs of each model. Default 5. */
  readonly warmup?: number;
  /** Measured rounds (one run of each model). Default: as many as `minSeconds` take, but at least 10. */
  readonly runs?: number;
  /** Default 3 seconds; of no effect with `runs`. */
  readonly minSeconds?: number;
  /**
   * Go on until the intervals of all speedups are no wider than this share to either side, e.g. 0.02, or `maxSeconds`
   * have passed. Of no effect with `runs`.
   */
  readonly halfWidth?: number;
  /** With `halfWidth`. Default 60. */
  readonly maxSeconds?: number;
  /** Also time each kind of op with onnxruntime's profiler. Default false. */
  readonly profile?: boolean;
  /** Bytes that the process uses now, to tell the memory of each model. */
  readonly memory?: () => number;
  readonly signal?: AbortSignal;
  /** Called after every round; `share` of the work done, 0 to 1. */
  readonly onProgress?: (progress: { readonly rounds: number; readonly share: number }) => void;
}

interface Contestant {
  readonly name: string;
  /** What the timing says besides times. */
  readonly extras: { memory?: number; operators?: Readonly<Record<string, number>> };
  readonly session: InferenceSession;
  readonly feeds: Record<string, Tensor>;
  readonly samples: number[];
}

/**
 * Times models against each other: random inputs, interleaved runs A B A B ... so that a machine that gets slower
 * or faster meanwhile does so for all, and paired ratios against the first model.
 * Wall time of `session.run`, which for a GPU includes moving inputs and outputs: onnxruntime's Node binding can leave
 * them on the device for WebGPU alone (`preferredOutputLocation`), and what it does should not differ by provider.
 * @throws PruneError `runtime` if the provider didn't run the compute nodes, `invalid-option`, `aborted`.
 */
export async function bench(models: readonly BenchModel[], options: BenchOptions): Promise<BenchResult> {
  const { runtime, provider = 'cpu', threads, seed = 0, warmup = 5, minSeconds = 3 } = options;
  checkCounts({ warmup, runs: options.runs ?? 1, threads: threads ?? 1 });
  const session: SessionOptions = { provider, ...(threads === undefined ? {} : { threads }) };
  const placement: BenchResult['placement'][number][] = [];
  const contestants: Contestant[] = [];
  let inputs: Record<string, readonly number[]> | undefined;
  try {
    for (const { name, model } of models) {
      throwIfAborted(options.signal);
      const bytes = model instanceof Uint8Array ? model : encodeModel(model);
      const before = options.memory?.();
      const loaded = await runtime.load(bytes, session);
      const contestant: Contestant = { name, session: loaded, feeds: emptyNamed(), samples: [], extras: {} };
      contestants.push(contestant);
      const specs = inputSpecs(loaded, options);
      Object.assign(contestant.feeds, randomInputs(runtime, specs, seed));
      if (options.memory && before !== undefined) {
        await loaded.run(contestant.feeds);
        const grown = options.memory() - before;
        // What an earlier model gave back is used again, which hides the need.
        if (grown > 0) contestant.extras.memory = grown;
      }
      if (options.profile)
        contestant.extras.operators = operatorTimes(
          await runtime.profile(bytes, contestant.feeds, session, profiledRuns),
          profiledRuns,
        );
      inputs ??= Object.fromEntries(specs.map((spec) => [spec.name, spec.shape]));
      if (provider !== 'cpu') {
        const use = assertProvider(await runtime.profile(bytes, contestant.feeds, session), provider);
        placement.push({ name, ...use });
      }
    }
    for (let i = 0; i < warmup; i++) await round(contestants, options.signal, false);
    const rounds = await measure(contestants, options, minSeconds);
    const [first, ...others] = contestants;
    return {
      runtime: `${runtime.name} ${runtime.version}`,
      provider,
      placement,
      threads,
      inputs: inputs ?? {},
      seed,
      warmup,
      rounds,
      models: contestants.map(timing),
      comparisons: others.map(({ name, samples }) => ({
        name,
        baseline: first!.name,
        ...pairedSpeedup(first!.samples, samples, `${seed}:${name}`),
      })),
    };
  } finally {
    for (const contestant of contestants) await contestant.session.release();
  }
}

async function measure(
  contestants: readonly Contestant[],
  options: BenchOptions,
  minSeconds: number,
): Promise<number> {
  const start = performance.now();
  const share = (rounds: number) =>
    options.runs === undefined
      ? Math.min(1, (performance.now() - start) / (1000 * minSeconds), rounds / 10)
      : rounds / options.runs;
  let rounds = 0;
  while (share(rounds) < 1) {
    await round(contestants, options.signal, true);
    rounds++;
    options.onProgress?.({ rounds, share: share(rounds) });
  }
  const { halfWidth, maxSeconds = 60, seed = 0 } = options;
  if (halfWidth === undefined || options.runs !== undefined) return rounds;
  const isOver = (): boolean => performance.now() - start > 1000 * maxSeconds;
  while (!isOver() && !isSettled(contestants, halfWidth, seed)) {
    // The bootstrap costs time too: not after every round.
    const more = Math.max(roundsBetween, 0.1 * rounds);
    for (let i = 0; i < more && !isOver(); i++) {
      await round(contestants, options.signal, true);
      rounds++;
    }
    options.onProgress?.({ rounds, share: 1 });
  }
  return rounds;
}

/** Fewest rounds between two looks at the intervals. */
const roundsBetween = 10;

function isSettled(
  [first, ...others]: readonly Contestant[],
  halfWidth: number,
  seed: number | string,
): boolean {
  return others.every(({ name, samples }) => {
    const { speedup, interval } = pairedSpeedup(first!.samples, samples, `${seed}:${name}`);
    return (interval[1] - interval[0]) / 2 <= halfWidth * speedup;
  });
}

/** Runs that are profiled. */
const profiledRuns = 7;

/** The first runs are slower. The median over the others by node, summed by op type, the slowest first. */
function operatorTimes(profile: readonly ProfiledNode[], runs: number): Record<string, number> {
  const byNode = new Map<string, { opType: string; times: number[] }>();
  for (const { name, opType, microseconds } of profile) {
    const known = byNode.get(`${opType} ${name}`);
    if (known) known.times.push(microseconds);
    else byNode.set(`${opType} ${name}`, { opType, times: [microseconds] });
  }
  const sums = new Map<string, number>();
  for (const { opType, times } of byNode.values()) {
    const later = times.slice(Math.floor((2 * times.length) / runs));
    sums.set(opType, (sums.get(opType) ?? 0) + median(later.length > 0 ? later : times) / 1000);
  }
  return Object.fromEntries([...sums].sort((a, b) => b[1] - a[1]));
}

async function round(contestants: readonly Contestant[], signal: AbortSignal | undefined, measured: boolean) {
  throwIfAborted(signal);
  for (const { session, feeds, samples } of contestants) {
    const start = performance.now();
    await session.run(feeds);
    if (measured) samples.push(performance.now() - start);
  }
}

function timing({ name, samples, extras }: Contestant): ModelTiming {
  const middle = median(samples);
  return {
    name,
    median: middle,
    p90: quantile(samples, 0.9),
    minimum: quantile(samples, 0),
    spread: (quantile(samples, 0.75) - quantile(samples, 0.25)) / middle,
    ...extras,
    samples,
  };
}

function checkCounts(counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) {
    if (!Number.isSafeInteger(count) || count < (name === 'warmup' ? 0 : 1)) {
      throw new PruneError('invalid-option', `invalid ${name}: ${count}; use a positive integer`);
    }
  }
}
