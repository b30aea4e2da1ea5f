import type { DataSource } from '../data/batch.js';
import type { MatrixProduct } from '../linear/product.js';
import type { Model } from '../onnx/model.js';
import { elementCount } from '../onnx/tensor.js';
import { drawCounted } from '../statistics/counted-rows.js';
import { drawRows } from '../statistics/draw.js';
import type { Runtime } from '../runtime/runtime.js';
import { denseValues } from '../statistics/dense-values.js';

/** Which elements of a value are the coordinates of a space: positions on one axis. */
export interface Probe {
  readonly value: string;
  /** The last axis, or the second. */
  readonly channelsFirst: boolean;
  readonly positions: Int32Array;
}

/** Mean and covariance of a space's coordinates: [n] and [n, n]. */
export interface Moments {
  readonly mean: Float64Array;
  readonly covariance: Float64Array;
}

export interface MomentsContext {
  readonly model: Model;
  readonly data: DataSource;
  readonly runtime: Runtime;
  readonly product: MatrixProduct;
  /** Rows that each is measured on, at most. */
  readonly maxRows: number;
  readonly seed: number | string;
  readonly signal?: AbortSignal | undefined;
  readonly onBatch?: ((examples: number) => void) | undefined;
}

/** Moments of every probe over the data, in one pass. */
export async function measureMoments(
  probes: readonly Probe[],
  { model, data, runtime, product, maxRows, seed, signal, onBatch }: MomentsContext,
): Promise<Moments[]> {
  const sums = probes.map(({ positions }) => new Sums(positions.length));
  const names = probes.map(({ value }) => value);
  let examples = 0;
  for await (const batch of denseValues(model, names, { data, runtime, signal })) {
    const { found, size } = batch;
    const wanted = Math.ceil((maxRows * size) / (data.count ?? 1024));
    const drawn = new Map<string, Int32Array>();
    for (const [i, probe] of probes.entries()) {
      const { data: values, dims } = found[probe.value]!;
      // The heads of one value are measured on the same rows.
      let rows = drawn.get(probe.value);
      if (!rows) {
        const count = elementCount(dims) / dims[channelAxisOf(probe, dims)]!;
        const key = `${seed}:${probe.value}:${examples}`;
        rows = probe.channelsFirst
          ? drawRows(count, wanted, key)
          : drawCounted(batch, dims, count, wanted, key);
        drawn.set(probe.value, rows);
      }
      await sums[i]!.add(gather(values as Float32Array, dims, probe, rows), rows.length, product);
    }
    examples += size;
    onBatch?.(examples);
  }
  return sums.map((sum) => sum.moments());
}

function channelAxisOf({ channelsFirst }: Probe, dims: readonly number[]): number {
  return channelsFirst ? 1 : dims.length - 1;
}

/** [positions, rows]: what the product wants. */
function gather(
  values: ArrayLike<number>,
  dims: readonly number[],
  probe: Probe,
  rows: Int32Array,
): Float64Array {
  const { positions } = probe;
  const axis = channelAxisOf(probe, dims);
  const inner = elementCount(dims.slice(axis + 1));
  const length = dims[axis]!;
  const out = new Float64Array(positions.length * rows.length);
  rows.forEach((row, r) => {
    const start = Math.floor(row / inner) * length * inner + (row % inner);
    for (let c = 0; c < positions.length; c++)
      out[c * rows.length + r] = values[start + positions[c]! * inner]!;
  });
  return out;
}

/** Sums about zero, in float64: what they cancel is far above rounding. */
class Sums {
  private rows = 0;
  private readonly first: Float64Array;
  private readonly second: Float64Array;

  constructor(private readonly size: number) {
    this.first = new Float64Array(size);
    this.second = new Float64Array(size * size);
  }

  async add(columns: Float64Array, rows: number, product: MatrixProduct): Promise<void> {
    const { size, first, second } = this;
    for (let c = 0; c < size; c++) for (let r = 0; r < rows; r++) first[c]! += columns[c * rows + r]!;
    const squares = await product(columns, columns, size, size, rows);
    for (let i = 0; i < squares.length; i++) second[i]! += squares[i]!;
    this.rows += rows;
  }

  moments(): Moments {
    const { size, rows } = this;
    const mean = this.first.map((sum) => sum / rows);
    const covariance = this.second.map(
      (sum, i) => sum / rows - mean[Math.floor(i / size)]! * mean[i % size]!,
    );
    return { mean, covariance };
  }
}
