import { withScratch } from '../onnx/bytes.js';
import type { Tensor } from '../onnx/tensor.js';
import { alignedArray, decodeFloats, elementBytes, type Floats, type FloatType } from '../onnx/values.js';

/** Exponent of a sum of magnitudes. */
export type Power = 1 | 2;

/** Sums at each index of the first and the second axis. */
export type LeadingSums = readonly [Float64Array, Float64Array];

/** Makes `leadingSums` of many tensors at once, or of some of them. */
export type SumsMaker = (
  tensors: readonly Tensor[],
  p: Power,
  signal?: AbortSignal,
) => Promise<ReadonlyMap<Tensor, LeadingSums>>;

/** Elements converted at once: bytes that have to be moved or widened stay in the cache until they are summed. */
const chunkElements = 1 << 15;

/**
 * Σ abs(w)^p at each index of the first two axes, in one pass: nearly every weight belongs to one group by its
 * first axis and to another by its second.
 */
export function leadingSums(tensor: Tensor, p: Power): LeadingSums {
  const { dtype } = tensor;
  const [rows = 1, columns = 1, ...rest] = tensor.dims;
  const inner = rest.reduce((a, b) => a * b, 1);
  const sums: LeadingSums = [new Float64Array(rows), new Float64Array(columns)];
  if (inner === 1 && (dtype === 'float16' || dtype === 'bfloat16')) {
    const powers = halfPowers(dtype, p);
    eachChunk(tensor, rows, columns, (bytes, row, end) =>
      addHalves(alignedArray(bytes, 2, Uint16Array), powers, row, end, columns, sums),
    );
    return sums;
  }
  eachFloats(tensor, rows, columns * inner, (values, row, end) => {
    if (inner === 1) addRows(values, row, end, columns, p, sums);
    else addBlocks(values, row, end, columns, inner, p, sums);
  });
  return sums;
}

/** abs(w)^p by the bits of a half type without its sign: nothing has to be widened. Squares of float16 are exact. */
function halfPowers(dtype: 'float16' | 'bfloat16', p: Power): Float32Array | Float64Array {
  const key = `${dtype}:${p}`;
  let table = powerTables.get(key);
  if (!table) {
    const bits = Uint16Array.from({ length: 2 ** 15 }, (_, i) => i);
    const values = decodeFloats(new Uint8Array(bits.buffer), dtype);
    const powers = Float64Array.from(values, (value) => magnitude(value, p));
    table = dtype === 'float16' ? Float32Array.from(powers) : powers;
    powerTables.set(key, table);
  }
  return table;
}

const powerTables = new Map<string, Float32Array | Float64Array>();

/** The elements of a tensor of `rows` rows as numbers, as many rows at a time as make a chunk. */
function eachFloats(
  tensor: Tensor,
  rows: number,
  width: number,
  visit: (values: Floats, from: number, to: number) => void,
): void {
  const dtype = tensor.dtype as FloatType;
  let room = new Uint8Array(0);
  eachChunk(tensor, rows, width, (bytes, row, end) => {
    const needed = 4 * (end - row) * width;
    if (room.length < needed) room = new Uint8Array(needed);
    visit(decodeFloats(bytes, dtype, room), row, end);
  });
}

/**
 * The bytes of a tensor of `rows` rows, as many rows at a time as make a chunk. They hold for one call only, and no
 * more than a block of the file is held, unless a row is longer.
 */
function eachChunk(
  { data, dtype }: Tensor,
  rows: number,
  width: number,
  visit: (bytes: Uint8Array, from: number, to: number) => void,
): void {
  if (width === 0) return;
  const rowBytes = elementBytes(dtype) * width;
  const step = rowsAtOnce * Math.ceil(chunkElements / width / rowsAtOnce);
  withScratch((scratch) => {
    const perBlock = step * Math.max(1, Math.floor(scratch.length / (step * rowBytes)));
    for (let first = 0; first < rows; first += perBlock) {
      const last = Math.min(rows, first + perBlock);
      const block = data.read(first * rowBytes, last * rowBytes, scratch);
      for (let row = first; row < last; row += step) {
        const end = Math.min(last, row + step);
        visit(block.subarray((row - first) * rowBytes, (end - first) * rowBytes), row, end);
      }
    }
  });
}

// One chain of additions waits for itself, and each element would add to its column in memory: the loops below take
// four rows at a time.
const rowsAtOnce = 4;

function addRows(
  values: Floats,
  from: number,
  to: number,
  columns: number,
  p: Power,
  [byRow, byColumn]: LeadingSums,
): void {
  let at = 0;
  let row = from;
  for (; row + rowsAtOnce <= to; row += rowsAtOnce, at += rowsAtOnce * columns)
    addFourRows(values, at, columns, p, row, byRow, byColumn);
  for (; row < to; row++) {
    let s = 0;
    for (let column = 0; column < columns; column++, at++) {
      const a = magnitude(values[at]!, p);
      byColumn[column]! += a;
      s += a;
    }
    byRow[row]! += s;
  }
}

/** By itself: as an inner loop it was compiled to code that took three times as long. */
function addFourRows(
  values: Floats,
  from: number,
  columns: number,
  p: Power,
  row: number,
  byRow: Float64Array,
  byColumn: Float64Array,
): void {
  let s = 0;
  let t = 0;
  let u = 0;
  let v = 0;
  for (let column = 0, at = from; column < columns; column++, at++) {
    const a = magnitude(values[at]!, p);
    const b = magnitude(values[at + columns]!, p);
    const c = magnitude(values[at + 2 * columns]!, p);
    const d = magnitude(values[at + 3 * columns]!, p);
    byColumn[column]! += a + b + (c + d);
    s += a;
    t += b;
    u += c;
    v += d;
  }
  byRow[row]! += s;
  byRow[row + 1]! += t;
  byRow[row + 2]! += u;
  byRow[row + 3]! += v;
}

function addHalves(
  halves: Uint16Array,
  powers: Float32Array | Float64Array,
  from: number,
  to: number,
  columns: number,
  [byRow, byColumn]: LeadingSums,
): void {
  let at = 0;
  let row = from;
  for (; row + rowsAtOnce <= to; row += rowsAtOnce, at += 3 * columns) {
    let [s, t, u, v] = [0, 0, 0, 0];
    for (let column = 0; column < columns; column++, at++) {
      const a = powers[halves[at]! & 0x7fff]!;
      const b = powers[halves[at + columns]! & 0x7fff]!;
      const c = powers[halves[at + 2 * columns]! & 0x7fff]!;
      const d = powers[halves[at + 3 * columns]! & 0x7fff]!;
      byColumn[column]! += a + b + (c + d);
      s += a;
      t += b;
      u += c;
      v += d;
    }
    byRow[row]! += s;
    byRow[row + 1]! += t;
    byRow[row + 2]! += u;
    byRow[row + 3]! += v;
  }
  for (; row < to; row++) {
    let s = 0;
    for (let column = 0; column < columns; column++, at++) {
      const a = powers[halves[at]! & 0x7fff]!;
      byColumn[column]! += a;
      s += a;
    }
    byRow[row]! += s;
  }
}

function addBlocks(
  values: Floats,
  from: number,
  to: number,
  columns: number,
  inner: number,
  p: Power,
  [byRow, byColumn]: LeadingSums,
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
  eachFloats(tensor, outer, length * inner, (values, row, end) => {
    let at = 0;
    for (let o = row; o < end; o++)
      for (let a = 0; a < length; a++, at += inner) sums[a]! += sumOf(values, at, at + inner, p);
  });
  return sums;
}
