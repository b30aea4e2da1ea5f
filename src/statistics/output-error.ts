import type { Tensor as RuntimeTensor } from 'onnxruntime-common';
import type { Batch, DataSource } from '../data/batch.js';
import { throwIfAborted } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { feedsOf } from '../runtime/tensors.js';
import { countedRows } from './counted-rows.js';

/**
 * What an output is taken for: `logits` of classes (rank 2), `probabilities` (rows that add up to one), or just
 * `numbers`.
 */
type Kind = 'logits' | 'probabilities' | 'numbers';

/** A float output of the dense model on one batch, with the rows that count. */
interface Reference {
  readonly values: Float32Array;
  readonly rank: number;
  readonly width: number;
  readonly rows: Int32Array;
}

interface ReferenceBatch {
  readonly feeds: Readonly<Record<string, RuntimeTensor>>;
  readonly outputs: ReadonlyMap<string, Reference>;
}

/**
 * How far outputs are from those of a dense model on some examples: of classes the Kullback-Leibler divergence, in nats
 * per decision; of other numbers the squared error as a share of their variance. Several outputs count alike. Steps that
 * only pad don't count.
 */
export class OutputError {
  private constructor(
    private readonly runtime: Runtime,
    private readonly batches: readonly ReferenceBatch[],
    private readonly kinds: ReadonlyMap<string, Kind>,
    private readonly variances: ReadonlyMap<string, number>,
    readonly examples: number,
    private readonly signal: AbortSignal | undefined,
  ) {}

  /** Runs the dense model; undefined if it puts out no float tensors. */
  static async open(
    dense: Model,
    data: DataSource,
    runtime: Runtime,
    signal?: AbortSignal,
  ): Promise<OutputError | undefined> {
    const session = await runtime.load(encodeModel(dense));
    const batches: ReferenceBatch[] = [];
    let examples = 0;
    try {
      for await (const batch of data) {
        throwIfAborted(signal);
        const feeds = feedsOf(runtime, batch.inputs);
        const found = await session.run(feeds);
        const outputs = new Map<string, Reference>();
        for (const name of session.outputNames) {
          const reference = referenceOf(found[name]!, batch);
          if (reference) outputs.set(name, reference);
        }
        batches.push({ feeds, outputs });
        examples += batch.valid;
      }
    } finally {
      await session.release();
    }
    const names = [...(batches[0]?.outputs.keys() ?? [])];
    if (names.length === 0) return undefined;
    const of = (name: string): Reference[] => batches.flatMap(({ outputs }) => outputs.get(name) ?? []);
    const kinds = new Map(names.map((name) => [name, kindOf(of(name)[0]!)]));
    const variances = new Map(names.map((name) => [name, varianceOf(of(name))]));
    return new OutputError(runtime, batches, kinds, variances, examples, signal);
  }

  /** The error of a model with the same inputs and outputs. Infinite where it puts out no numbers. */
  async of(model: Model): Promise<number> {
    const session = await this.runtime.load(encodeModel(model));
    const sums = new Map<string, { error: number; rows: number }>();
    try {
      for (const { feeds, outputs } of this.batches) {
        throwIfAborted(this.signal);
        const found = await session.run(feeds);
        for (const [name, reference] of outputs) {
          const sum = sums.get(name) ?? { error: 0, rows: 0 };
          sum.error += errorOf(found[name]!.data as Float32Array, reference, this.kinds.get(name)!);
          sum.rows += reference.rows.length;
          sums.set(name, sum);
        }
      }
    } finally {
      await session.release();
    }
    const errors = [...sums].map(([name, { error, rows }]) => {
      const scale = this.kinds.get(name) === 'numbers' ? this.variances.get(name)! : 1;
      return error / Math.max(1, rows) / scale;
    });
    const mean = errors.reduce((a, b) => a + b, 0) / errors.length;
    return Number.isNaN(mean) ? Infinity : mean;
  }
}

function referenceOf({ data, dims }: RuntimeTensor, batch: Batch): Reference | undefined {
  if (!(data instanceof Float32Array) || data.length === 0) return undefined;
  const width = dims.length > 1 ? dims.at(-1)! : 1;
  const count = data.length / width;
  const rows = countedRows(batch, dims, count) ?? Int32Array.from({ length: count }, (_, i) => i);
  return { values: data, rank: dims.length, width, rows };
}

function kindOf({ values, rank, width, rows }: Reference): Kind {
  if (width < 2) return 'numbers';
  const isDistribution = rows.subarray(0, 16).every((row) => {
    const own = values.subarray(row * width, (row + 1) * width);
    return own.every((value) => value >= 0) && Math.abs(own.reduce((a, b) => a + b, 0) - 1) < 1e-3;
  });
  if (isDistribution) return 'probabilities';
  return rank === 2 ? 'logits' : 'numbers';
}

/** Sum over the columns of a row, of the variance of each about its mean over rows. */
function varianceOf(references: readonly Reference[]): number {
  const width = references[0]!.width;
  const [sum, squares] = [new Float64Array(width), new Float64Array(width)];
  let count = 0;
  for (const { values, rows } of references)
    for (const row of rows) {
      count++;
      for (let i = 0; i < width; i++) {
        const value = values[row * width + i]!;
        sum[i]! += value;
        squares[i]! += value * value;
      }
    }
  let variance = 0;
  for (let i = 0; i < width; i++) variance += squares[i]! / count - (sum[i]! / count) ** 2;
  return variance > 0 ? variance : 1;
}

/** Summed over the rows that count. */
function errorOf(found: Float32Array, { values, width, rows }: Reference, kind: Kind): number {
  let error = 0;
  for (const row of rows) {
    const start = row * width;
    if (kind === 'numbers') error += squaredDistance(values, found, start, width);
    else if (kind === 'logits') error += logitDivergence(values, found, start, width);
    else error += divergence(values, found, start, width);
  }
  return error;
}

function squaredDistance(a: Float32Array, b: Float32Array, start: number, width: number): number {
  let sum = 0;
  for (let i = start; i < start + width; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}

/** Probabilities below say nothing that float32 could tell. */
const least = 1e-7;

function divergence(p: Float32Array, q: Float32Array, start: number, width: number): number {
  let sum = 0;
  for (let i = start; i < start + width; i++)
    if (p[i]! > least) sum += p[i]! * Math.log(p[i]! / Math.max(q[i]!, least));
  return sum;
}

function logitDivergence(a: Float32Array, b: Float32Array, start: number, width: number): number {
  const [la, lb] = [logSum(a, start, width), logSum(b, start, width)];
  let sum = 0;
  for (let i = start; i < start + width; i++) {
    const log = a[i]! - la;
    sum += Math.exp(log) * (log - (b[i]! - lb));
  }
  return sum;
}

function logSum(values: Float32Array, start: number, width: number): number {
  let largest = -Infinity;
  for (let i = start; i < start + width; i++) largest = Math.max(largest, values[i]!);
  let sum = 0;
  for (let i = start; i < start + width; i++) sum += Math.exp(values[i]! - largest);
  return largest + Math.log(sum);
}
