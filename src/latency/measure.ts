import type { Tensor } from 'onnxruntime-common';
import { quantile } from '../bench/statistics.js';
import { throwIfAborted } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import type { Model } from '../onnx/model.js';
import { randomInputs, type InputSpec } from '../runtime/inputs.js';
import type { Provider, Runtime, SessionOptions } from '../runtime/runtime.js';
import { partName, sideBySide, type Sized } from './side-by-side.js';

/** Times that were measured before, by key; a file beside the user's other caches, or nothing. */
export interface LatencyCache {
  get(key: string): number | undefined;
  set(key: string, milliseconds: number): void;
}

export interface MeasureOptions {
  readonly runtime: Runtime;
  /** Default `cpu`. */
  readonly provider?: Provider | undefined;
  /** Default: onnxruntime's. */
  readonly threads?: number | undefined;
  readonly cache?: LatencyCache | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Runs of one model. */
const runs = 7;

/** Runs before those. */
const warmup = 2;

/**
 * Milliseconds of operations, in their order, from the cache where it has them. On the CPU all run one after the other in
 * one session: their weights are then as cold as in a model of this size, and what disturbs the machine meanwhile
 * disturbs all.
 * @param setting what times depend on besides the operation, for the cache
 */
export async function timesOf(
  parts: readonly Sized[],
  setting: string,
  options: MeasureOptions,
): Promise<number[]> {
  const { cache, provider = 'cpu' } = options;
  const keys = parts.map(({ operation, widths }) => `${operation.signature} ${setting} ${widths.join()}`);
  const times = new Map<string, number>();
  for (const key of keys) {
    const known = cache?.get(key);
    if (known !== undefined) times.set(key, known);
  }
  if (keys.every((key) => times.has(key))) return keys.map((key) => times.get(key)!);
  const together = provider === 'cpu' ? await timesTogether(parts, options) : [];
  for (const [i, key] of keys.entries()) {
    if (times.has(key)) continue;
    const alike = together.filter((time, j): time is number => time !== undefined && keys[j] === key);
    const time = alike.length > 0 ? mean(alike) : await timeAlone(parts[i]!, options);
    times.set(key, time);
    cache?.set(key, time);
  }
  return keys.map((key) => times.get(key)!);
}

/** By the profiler; undefined where it can't be told which kernel is whose. */
async function timesTogether(
  parts: readonly Sized[],
  options: MeasureOptions,
): Promise<(number | undefined)[]> {
  throwIfAborted(options.signal);
  const model = sideBySide(parts);
  const kernels = await kernelTimes(encodeModel(model), feedsOf(model, options.runtime), options);
  return parts.map((_, index) => {
    const name = partName(index);
    // onnxruntime names what it puts in a node's place after the node or its output.
    const own = kernels.filter((kernel) => kernel.name === name || kernel.name.startsWith(`${name}_`));
    return own.length === 0 ? undefined : own.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  });
}

async function timeAlone(part: Sized, options: MeasureOptions): Promise<number> {
  const { runtime, provider = 'cpu', threads, signal } = options;
  throwIfAborted(signal);
  const model = sideBySide([part]);
  const bytes = encodeModel(model);
  const feeds = feedsOf(model, runtime);
  if (provider === 'cpu') {
    const kernels = await kernelTimes(bytes, feeds, options);
    return kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  }
  // A GPU's kernels run after the profiler has stopped its clock.
  const session = await runtime.load(bytes, { provider, ...(threads !== undefined && { threads }) });
  const times: number[] = [];
  try {
    for (let run = 0; run < warmup + runs; run++) {
      const start = performance.now();
      await session.run(feeds);
      if (run >= warmup) times.push(performance.now() - start);
    }
  } finally {
    await session.release();
  }
  return quantile(times, 0.25);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export interface KernelTime {
  readonly name: string;
  readonly opType: string;
  readonly milliseconds: number;
}

/**
 * What a model's kernels take on the CPU, by the profiler: of each node the lower quartile over the runs, since what
 * disturbs a run makes it slower. On a busy machine this is far steadier than the wall time.
 */
export async function kernelTimes(
  model: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  { runtime, threads }: MeasureOptions,
): Promise<KernelTime[]> {
  const options: SessionOptions = threads === undefined ? {} : { threads };
  const nodes = new Map<string, { name: string; opType: string; times: number[] }>();
  for (const { name, opType, microseconds } of await runtime.profile(model, feeds, options, warmup + runs)) {
    const key = `${opType} ${name}`;
    const node = nodes.get(key);
    if (node) node.times.push(microseconds);
    else nodes.set(key, { name, opType, times: [microseconds] });
  }
  return [...nodes.values()].map(({ name, opType, times }) => ({
    ...{ name, opType },
    milliseconds: quantile(times.slice(warmup), 0.25) / 1000,
  }));
}

function feedsOf(model: Model, runtime: Runtime): Record<string, Tensor> {
  const specs = model.graph.inputs.map(({ name, type }): InputSpec => {
    if (type?.kind !== 'tensor') throw new TypeError(`input ${name} is no tensor`);
    return {
      name,
      dtype: type.dtype as InputSpec['dtype'],
      shape: type.shape!.map(({ value }) => value as number),
    };
  });
  return randomInputs(runtime, specs);
}
