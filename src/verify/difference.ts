import { sliceTensor } from '../onnx/slice.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { floatsOf, type Floats } from '../onnx/values.js';

/** Kept positions by axis; axes that aren't listed stay whole. */
export type Kept = ReadonlyMap<number, Int32Array>;

/** How far a tensor of the pruned model is from the kept part of the masked original's. */
export interface Difference {
  /** Largest |a − b|; NaN if either holds a NaN or an infinity that the other lacks. */
  readonly max: number;
  /** Largest |b|, of finite entries. */
  readonly scale: number;
  /** Largest b less smallest b, of finite entries; 0 without any. */
  readonly spread: number;
  /** Whether any entry is a finite number. */
  readonly isFinite: boolean;
  readonly dims: readonly number[];
  readonly got: Floats;
  readonly expected: Floats;
}

/** @returns undefined if their shapes differ. */
export function difference(pruned: Tensor, masked: Tensor, kept: Kept): Difference | undefined {
  const reference = sliceTensor(masked, kept);
  const { dims } = reference;
  if (!sameDims(pruned.dims, dims)) return undefined;
  const [got, expected] = [floatsOf(pruned), floatsOf(reference)];
  let max = 0;
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [got[i]!, expected[i]!];
    // Equal infinities agree, and so does what is no number in both.
    if (x !== y && !(x !== x && y !== y)) {
      const delta = Math.abs(x - y);
      if (!(delta < Infinity)) max = NaN;
      else if (delta > max) max = delta;
    }
    if (y < low && y > -Infinity) low = y;
    if (y > high && y < Infinity) high = y;
  }
  const isFinite = low <= high;
  const scale = isFinite ? Math.max(Math.abs(low), Math.abs(high)) : 0;
  return { max, scale, spread: isFinite ? high - low : 0, isFinite, dims, got, expected };
}

export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

/** Whether two tensors of integers, booleans or strings hold the same elements, the second on its kept positions. */
export function isEqual(pruned: Tensor, masked: Tensor, kept: Kept): boolean {
  if (masked.data.storage === 'strings' || pruned.data.storage === 'strings') {
    const [got, expected] = [pruned.data.strings ?? [], masked.data.strings ?? []];
    return (
      sameDims(pruned.dims, masked.dims) &&
      got.length === expected.length &&
      got.every((entry, i) => sameBytes(entry, expected[i]!))
    );
  }
  const reference = sliceTensor(masked, kept);
  return (
    pruned.dtype === reference.dtype &&
    sameDims(pruned.dims, reference.dims) &&
    sameBytes(pruned.data.bytes(), reference.data.bytes())
  );
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  if (a.buffer === b.buffer && a.byteOffset === b.byteOffset) return true;
  const words = a.byteOffset % 4 === 0 && b.byteOffset % 4 === 0 ? a.length >> 2 : 0;
  const [x, y] = [new Uint32Array(a.buffer, words && a.byteOffset, words), new Uint32Array(b.buffer, words && b.byteOffset, words)]; // prettier-ignore
  for (let i = 0; i < words; i++) if (x[i] !== y[i]) return false;
  for (let i = 4 * words; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Largest absolute finite value at each position of an axis. */
export function sizesAlong(values: Floats, dims: readonly number[], axis: number): Float64Array {
  return largestAlong(values, undefined, dims, axis);
}

/** Largest difference at each position of an axis. */
export function differencesAlong({ got, expected, dims }: Difference, axis: number): Float64Array {
  return largestAlong(expected, got, dims, axis);
}

function largestAlong(a: Floats, b: Floats | undefined, dims: readonly number[], axis: number): Float64Array {
  const length = dims[axis]!;
  const out = new Float64Array(length);
  const inner = elementCount(dims.slice(axis + 1));
  for (let i = 0, c = 0; i < a.length; c = c + 1 < length ? c + 1 : 0) {
    let largest = out[c]!;
    for (const end = i + inner; i < end; i++) {
      const value = Math.abs(b ? a[i]! - b[i]! : a[i]!);
      if (value > largest && value < Infinity) largest = value;
    }
    out[c] = largest;
  }
  return out;
}
