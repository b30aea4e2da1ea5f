import { PruneError } from '../errors.js';
import type { Tensor } from './tensor.js';
import { alignedArray, elementBytes, withBytes } from './values.js';

/**
 * Keeps the given indices (ascending) of the given axes, in one pass over the result.
 * Axes that aren't named stay whole. The tensor itself is returned if nothing is removed.
 * @throws PruneError `unsupported` for element types of less than a byte and for strings.
 */
export function sliceTensor(tensor: Tensor, kept: ReadonlyMap<number, Int32Array>): Tensor {
  const { dims } = tensor;
  for (const [axis, indices] of kept) checkIndices(tensor, axis, indices);
  const cut = [...kept].filter(([axis, indices]) => indices.length !== dims[axis]!);
  if (cut.length === 0) return tensor;

  const size = elementBytes(tensor.dtype);
  const newDims = dims.map((dim, axis) => kept.get(axis)?.length ?? dim);
  const out = new Uint8Array(newDims.reduce((product, dim) => product * dim, size));
  if (out.length === 0) return withBytes(tensor, out, newDims);
  // Copied in words as large as the elements allow: single bytes are several times slower.
  const wordBytes = Math.min(size, 4);
  const wordArray = wordBytes === 4 ? Uint32Array : wordBytes === 2 ? Uint16Array : Uint8Array;
  const from: WordArray = alignedArray<WordArray>(tensor.data.bytes(), wordBytes, wordArray);
  const to: WordArray = new wordArray(out.buffer);

  // Everything inside the innermost cut axis is contiguous, and so are runs of neighbouring indices on it.
  const inner = Math.max(...cut.map(([axis]) => axis));
  const strides = wordStrides(dims, size / wordBytes);
  const runs = contiguousRuns(kept.get(inner)!, strides[inner]!);
  const outer = newDims.slice(0, inner);
  const position = outer.map(() => 0);
  let written = 0;
  let base = 0;
  const offsetOf = (axis: number): number => {
    const at = position[axis]!;
    return (kept.get(axis)?.[at] ?? at) * strides[axis]!;
  };
  for (let axis = 0; axis < inner; axis++) base += offsetOf(axis);
  for (;;) {
    for (let i = 0; i < runs.length; i += 2) {
      const start = base + runs[i]!;
      const length = runs[i + 1]!;
      if (length < 32) for (let k = 0; k < length; k++) to[written + k] = from[start + k]!;
      else to.set(from.subarray(start, start + length), written);
      written += length;
    }
    let axis = inner - 1;
    for (; axis >= 0; axis--) {
      base -= offsetOf(axis);
      position[axis]!++;
      if (position[axis]! < outer[axis]!) {
        base += offsetOf(axis);
        break;
      }
      position[axis] = 0;
      base += offsetOf(axis);
    }
    if (axis < 0) return withBytes(tensor, out, newDims);
  }
}

type WordArray = Uint8Array | Uint16Array | Uint32Array;

function checkIndices(tensor: Tensor, axis: number, indices: Int32Array): void {
  const size = tensor.dims[axis];
  let previous = -1;
  const valid =
    size !== undefined &&
    indices.every((index) => {
      const ascending = index > previous && index < size;
      previous = index;
      return ascending;
    });
  if (!valid)
    throw new PruneError(
      'internal',
      `kept indices of axis ${axis} of tensor '${tensor.name}' [${tensor.dims.join(', ')}] are not ascending or out of range; report this`,
    );
}

function wordStrides(dims: readonly number[], elementSize: number): number[] {
  const strides = new Array<number>(dims.length).fill(0);
  let stride = elementSize;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= dims[axis]!;
  }
  return strides;
}

/** Pairs of offset and length, in words. */
function contiguousRuns(indices: Int32Array, stride: number): Float64Array {
  const runs: number[] = [];
  for (let i = 0; i < indices.length;) {
    let end = i + 1;
    while (end < indices.length && indices[end] === indices[end - 1]! + 1) end++;
    runs.push(indices[i]! * stride, (end - i) * stride);
    i = end;
  }
  return Float64Array.from(runs);
}
