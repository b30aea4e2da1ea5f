import { elementCount, type Tensor } from '../onnx/tensor.js';
import { decodeFloats, elementBytes, floatsOf, type Floats, type FloatType } from '../onnx/values.js';

/** Exponent of a sum of magnitudes. */
export type Power = 1 | 2;

/** Elements read at once: bytes that have to be moved or converted stay in the cache until they are summed. */
const chunkElements = 1 << 15;

/**
 * Σ abs(w)^p at each index of the first two axes, in one pass: nearly every weight belongs to one group by its
 * first axis and to another by its second.
 */
export function leadingSums(tensor: Tensor, p: Power): [Float64Array, Float64Array] {
  const [rows = 1, columns = 1, ...rest] = tensor.dims;
  const inner = rest.reduce((a, b) => a * b, 1);
  const sums: [Float64Array, Float64Array] = [new Float64Array(rows), new Float64Array(columns)];
  const width = columns * inner;
  if (width === 0) return sums;
  const step = Math.max(1, Math.floor(chunkElements / width));
  const read = chunkReader(tensor, step * width);
  for (let row = 0; row < rows; row += step) {
    const end = Math.min(rows, row + step);
    const values = read(row * width, end * width);
    if (inner === 1) addRows(values, row, end, columns, p, sums);
    else addBlocks(values, row, end, columns, inner, p, sums);
  }
  return sums;
}

/** Reads elements piece by piece; what a read returns holds until the next. At most `longest` elements a read. */
function chunkReader(tensor: Tensor, longest: number): (from: number, to: number) => Floats {
  const bytes = tensor.data.bytes();
  const size = elementBytes(tensor.dtype);
  if (tensor.dtype !== 'float32' || bytes.byteOffset % size === 0)
    return (from, to) => decodeFloats(bytes.subarray(from * size, to * size), tensor.dtype as FloatType);
  // Weights of a file lie anywhere: one buffer for all pieces, since a new one each would cost more than the sums.
  const scratch = new Float32Array(Math.min(longest, elementCount(tensor.dims)));
  const target = new Uint8Array(scratch.buffer);
  return (from, to) => {
    target.set(bytes.subarray(from * size, to * size));
    return scratch.subarray(0, to - from);
  };
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
  const values = floatsOf(tensor);
  const sums = new Float64Array(length);
  for (let o = 0; o < outer; o++)
    for (let a = 0; a < length; a++) {
      const from = (o * length + a) * inner;
      sums[a]! += sumOf(values, from, from + inner, p);
    }
  return sums;
}
