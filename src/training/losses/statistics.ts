import type { BatchTensor } from '../../data/batch.js';
import { elementCount } from '../../onnx/tensor.js';

/** What a value of the teacher looks like over some examples. */
export interface ValueStatistics {
  readonly name: string;
  readonly rank: number;
  /** Dims of an example, as text. */
  readonly shape: string;
  /** Axis of the channels. */
  readonly axis: number;
  /** By channel. */
  readonly variances: Float32Array;
  /**
   * `probabilities`: rows along the channels are not negative and add up to 1; `unit`: rows are of length 1; `scores`: any
   * other output of rank 2; else `values`.
   */
  readonly kind: 'probabilities' | 'unit' | 'scores' | 'values';
}

/** Rows may miss a sum or a length of 1 by this. */
const tolerance = 1e-3;

/** Collects what losses need to know of a value, batch by batch. */
export class StatisticsCollector {
  private count = 0;
  private means: Float64Array | undefined;
  private squares: Float64Array | undefined;
  private shape: readonly number[] = [];
  private isProbability = true;
  private isUnit = true;

  /** @param axis of the channels; undefined: 1, of values of rank 3 the last */
  constructor(
    private readonly name: string,
    private readonly axis?: number,
  ) {}

  add({ data, dims }: BatchTensor, valid: number): void {
    const values = data as Float32Array;
    const axis = this.axisOf(dims);
    const channels = dims[axis] ?? 1;
    const inner = elementCount(dims.slice(axis + 1));
    const rows = dims.length < 2 ? values.length : ((values.length / channels) * valid) / dims[0]!;
    const [means, squares] = [(this.means ??= new Float64Array(channels)), (this.squares ??= new Float64Array(channels))]; // prettier-ignore
    this.shape = dims.slice(1);
    for (let row = 0; row < rows; row++) {
      const start = Math.floor(row / inner) * channels * inner + (row % inner);
      this.count++;
      let sum = 0;
      let length = 0;
      for (let c = 0; c < channels; c++) {
        const value = values[start + c * inner]!;
        const delta = value - means[c]!;
        means[c]! += delta / this.count;
        squares[c]! += delta * (value - means[c]!);
        sum += value;
        length += value * value;
        if (value < 0) this.isProbability = false;
      }
      if (Math.abs(sum - 1) > tolerance) this.isProbability = false;
      if (Math.abs(Math.sqrt(length) - 1) > tolerance) this.isUnit = false;
    }
  }

  result(): ValueStatistics {
    const { name, shape } = this;
    const rank = shape.length + 1;
    const variances = Float32Array.from(this.squares ?? [], (square) => square / Math.max(1, this.count));
    const width = variances.length;
    const kind =
      width > 1 && this.isProbability ? 'probabilities'
      : width > 1 && this.isUnit ? 'unit'
      : width > 1 && rank === 2 ? 'scores'
      : 'values'; // prettier-ignore
    return { name, rank, shape: shape.join(), axis: this.axisOf([1, ...shape]), variances, kind };
  }

  private axisOf(dims: readonly number[]): number {
    return this.axis ?? (dims.length === 3 ? 2 : Math.min(1, dims.length - 1));
  }
}
