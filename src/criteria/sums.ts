import { withScratch } from '../onnx/bytes.js';
import type { Tensor } from '../onnx/tensor.js';
import { decodeFloats, elementBytes, type Floats, type FloatType } from '../onnx/values.js';

/** Exponent of a sum of magnitudes. */
export type Power = 1 | 2;

/** Elements converted at once: bytes that have to be moved or widened stay in the cache until they are summed. */
const chunkElements = 1 << 15;

/**
 * Σ abs(w)^p at each index of the first two axes, in one pass: nearly every weight belongs to one group by its
 * first axis and to another by its second.
 */
export function leadingSums(tensor: Tensor, p: Power): [Float64Array, Float64Array] {
  const [rows = 1, columns = 1, ...rest] = tensor.dims;
  const inner = rest.reduce((a, b) => a * b, 1);
  const sums: [Float64Array, Float64Array] = [new Float64Array(rows), new Float64Array(columns)];
  eachChunk(tensor, rows, columns * inner, (values, row, end) => {
    if (inner === 1) addRows(values, row, end, columns, p, sums);
    else addBlocks(values, row, end, columns, inner, p, sums);
  });
  return sums;
}

/**
 * The elements of a tensor of `rows` rows, as many rows at a time as make a chunk. The array holds for one call only,
 * and no more than a block of the file is held, unless a row is longer.
 */
function eachChunk(
  { data, dtype }: Tensor,
  rows: number,
  width: number,
  visit: (values: Floats, from: number, to: number) => void,
): void {
  if (width === 0) return;
  const size = elementBytes(dtype);
  const step = Math.max(1, Math.floor(chunkElements / width));
  const chunk = new Uint8Array(Math.min(step, rows) * width * 4);
  withScratch((scratch) => {
    const perBlock = Math.max(step, Math.floor(scratch.length / (width * size)));
    for (let first = 0; first < rows; first += perBlock) {
      const last = Math.min(rows, first + perBlock);
      const block = data.read(first * width * size, last * width * size, scratch);
      for (let row = first; row < last; row += step) {
        const end = Math.min(last, row + step);
        const bytes = block.subarray((row - first) * width * size, (end - first) * width * size);
        visit(decodeFloats(bytes, dtype as FloatType, chunk), row, end);
      }
    }
  });
}

// One chain of additions waits for itself: the loops below keep two or more going.

function addRows(
  values: Floats,
  from: number,
  to: number,
  columns: number,
  p: Power,
  [byRow, byColumn]: [Float64Array, Float64Array],
): void {
  const even = columns & ~1;
  let at = 0;
  for (let row = from; row < to; row++) {
    let s = 0;
    let t = 0;
    for (let column = 0; column < even; column += 2, at += 2) {
      const v = magnitude(values[at]!, p);
      const w = magnitude(values[at + 1]!, p);
      byColumn[column]! += v;
      byColumn[column + 1]! += w;
      s += v;
      t += w;
    }
    if (even < columns) {
      const v = magnitude(values[at++]!, p);
      byColumn[even]! += v;
      s += v;
    }
    byRow[row]! += s + t;
  }
}

function addBlocks(
  values: Floats,
  from: number,
  to: number,
  columns: number,
  inner: number,
  p: Power,
  [byRow, byColumn]: [Float64Array, Float64Array],
): void {
  let at = 0;
  for (let row = from; row < to; row++) {
    let total = 0;
    for (let column = 0; column < columns; column++, at += inner) {
      const s = sumOf(values, at, at + inner, p);
      byColumn[column]! += s;
      total += s;
    }
    byRow[row]! += total;
  }
}

function magnitude(value: number, p: Power): number {
  return p === 2 ? value * value : Math.abs(value);
}

function sumOf(values: Floats, from: number, to: number, p: Power): number {
  return p === 2 ? sumOfSquares(values, from, to) : sumOfMagnitudes(values, from, to);
}

function sumOfSquares(values: Floats, from: number, to: number): number {
  let s = 0;
  let t = 0;
  let u = 0;
  let at = from;
  for (const end = to - 2; at < end; at += 3) {
    const v = values[at]!;
    const w = values[at + 1]!;
    const x = values[at + 2]!;
    s += v * v;
    t += w * w;
    u += x * x;
  }
  for (; at < to; at++) {
    const v = values[at]!;
    s += v * v;
  }
  return s + t + u;
}

function sumOfMagnitudes(values: Floats, from: number, to: number): number {
  let s = 0;
  let t = 0;
  let u = 0;
  let at = from;
  for (const end = to - 2; at < end; at += 3) {
    s += Math.abs(values[at]!);
    t += Math.abs(values[at + 1]!);
    u += Math.abs(values[at + 2]!);
  }
  for (; at < to; at++) s += Math.abs(values[at]!);
  return s + t + u;
}

/** Σ abs(w)^p at each index of any axis. */
export function axisSums(tensor: Tensor, axis: number, p: Power): Float64Array {
  const { dims } = tensor;
  const length = dims[axis]!;
  const outer = dims.slice(0, axis).reduce((a, b) => a * b, 1);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const sums = new Float64Array(length);
  eachChunk(tensor, outer, length * inner, (values, row, end) => {
    let at = 0;
    for (let o = row; o < end; o++)
      for (let a = 0; a < length; a++, at += inner) sums[a]! += sumOf(values, at, at + inner, p);
  });
  return sums;
}
