import type { Tensor } from 'onnxruntime-common';
import { quantile } from '../bench/statistics.js';
import { throwIfAborted } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import { randomInputs, type InputSpec } from '../runtime/inputs.js';
import type { Provider, Runtime, SessionOptions } from '../runtime/runtime.js';
import { gridOf, gridPoints, monotone, type TimeGrid } from './grid.js';
import type { Operation } from './operation.js';

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

/** Runs of one operation at one width. */
const runs = 7;

/** Runs before those. */
const warmup = 2;

/** Nodes that onnxruntime puts around a lone node to change the layout; in a whole model neighbours share them. */
const layoutOps: ReadonlySet<string> = new Set(['ReorderInput', 'ReorderOutput']);

/** Milliseconds of one operation at some widths: the lower quartile, since what disturbs a run makes it slower. */
export async function timeOf(
  operation: Operation,
  widths: readonly number[],
  { runtime, provider = 'cpu', threads, cache, signal }: MeasureOptions,
): Promise<number> {
  const key = `${operation.signature} ${widths.join()}`;
  const known = cache?.get(key);
  if (known !== undefined) return known;
  throwIfAborted(signal);
  const model = operation.modelAt(widths);
  const bytes = encodeModel(model);
  const specs = model.graph.inputs.map(({ name, type }): InputSpec => {
    if (type?.kind !== 'tensor') throw new TypeError(`input ${name} is no tensor`);
    return {
      name,
      dtype: type.dtype as InputSpec['dtype'],
      shape: type.shape!.map(({ value }) => value as number),
    };
  });
  const feeds = randomInputs(runtime, specs);
  const options: SessionOptions = { provider, ...(threads === undefined ? {} : { threads }) };
  let milliseconds: number;
  if (provider === 'cpu') milliseconds = await kernelTime(runtime, bytes, feeds, options);
  else {
    // A GPU's kernels run after the profiler has stopped its clock.
    const session = await runtime.load(bytes, options);
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
    milliseconds = quantile(times, 0.25);
  }
  cache?.set(key, milliseconds);
  return milliseconds;
}

/**
 * Milliseconds that a model's kernels take on the CPU, by the profiler: of each node the lower quartile over the runs,
 * without changes of the layout. On a busy machine this is far steadier than the wall time.
 */
export async function kernelTime(
  runtime: Runtime,
  model: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  options: SessionOptions,
): Promise<number> {
  const times = new Map<string, number[]>();
  for (const { name, opType, microseconds } of await runtime.profile(model, feeds, options, warmup + runs)) {
    if (layoutOps.has(opType)) continue;
    const own = times.get(name);
    if (own) own.push(microseconds);
    else times.set(name, [microseconds]);
  }
  let milliseconds = 0;
  for (const own of times.values()) milliseconds += quantile(own.slice(warmup), 0.25) / 1000;
  return milliseconds;
}

/** Times of distinct operations on their grids of widths, by signature. */
export async function latencyTable(
  operations: readonly Operation[],
  options: MeasureOptions,
): Promise<Map<string, TimeGrid>> {
  const distinct = new Map(operations.map((operation) => [operation.signature, operation]));
  const plans = [...distinct.values()].map((operation) => {
    // Beyond two widths the ends must do.
    const axes = operation.dense.map((width) => {
      const grid = gridOf(width);
      return operation.dense.length <= 2 || grid.length <= 2 ? grid : [grid[0]!, grid.at(-1)!];
    });
    return { operation, axes, points: gridPoints(axes) };
  });
  const total = plans.reduce((sum, { points }) => sum + points.length, 0);
  let done = 0;
  const table = new Map<string, TimeGrid>();
  for (const { operation, axes, points } of plans) {
    const times = new Float64Array(points.length);
    for (const [i, point] of points.entries()) {
      times[i] = await timeOf(operation, point, options);
      options.onProgress?.(++done, total);
    }
    table.set(operation.signature, monotone({ axes, times }));
  }
  return table;
}
