import type { Batch } from '../data/batch.js';
import { elementCount } from '../onnx/tensor.js';
import { drawRows } from './draw.js';

/** Which parts of a batch count: not the examples that fill it up, nor the steps that pad a sequence. */
export type Counted = Pick<Batch, 'size' | 'valid' | 'counted'>;

/**
 * The rows of a value that count, where not all do: its rows are all axes before the last, row-major. Steps count by the
 * mask where the rows are (or begin with) [examples, steps]; else examples count as a whole.
 * @param rows of the value
 * @returns undefined if all of them count
 */
export function countedRows(
  { size, valid, counted }: Counted,
  dims: readonly number[],
  rows: number,
): Int32Array | undefined {
  const [, steps = 1] = counted?.dims ?? [];
  const isByStep =
    counted !== undefined && (rows === size * steps || (dims[0] === size && dims[1] === steps));
  if (isByStep && rows % (size * steps) === 0) {
    const each = rows / (size * steps);
    const out: number[] = [];
    for (let i = 0; i < size * steps; i++) {
      if (i >= valid * steps || !(counted.data[i]! > 0)) continue;
      for (let k = 0; k < each; k++) out.push(i * each + k);
    }
    return out.length < rows ? Int32Array.from(out) : undefined;
  }
  if (valid === size || rows % size !== 0 || dims[0]! % size !== 0) return undefined;
  return Int32Array.from({ length: (rows / size) * valid }, (_, i) => i);
}

/** Draws `wanted` of the rows that count, without repetition, in ascending order. */
export function drawCounted(
  batch: Counted,
  dims: readonly number[],
  rows: number,
  wanted: number,
  seed: string,
): Int32Array {
  const counted = countedRows(batch, dims, rows);
  if (!counted) return drawRows(rows, wanted, seed);
  return drawRows(counted.length, wanted, seed).map((i) => counted[i]!);
}

/** The share of a batch's steps that count. */
export function countedShare({ size, valid, counted }: Counted): number {
  if (!counted) return valid / size;
  let count = 0;
  for (let i = 0; i < (counted.data.length / size) * valid; i++) count += Number(counted.data[i]! > 0);
  return count / elementCount(counted.dims);
}
