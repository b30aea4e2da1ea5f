import type { DataType } from '../onnx/data-type.js';
import { sliceTensor } from '../onnx/slice.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf } from '../onnx/values.js';

/**
 * Largest difference that rounding explains, relative to the largest absolute value of the tensor. float32: about
 * 1e-5 was seen in deep models. Half types round every intermediate to 2^-11 and 2^-8: some twenty roundings that
 * add up.
 */
export function defaultTolerance(dtype: DataType): number {
  return dtype === 'float16' ? 1e-2 : dtype === 'bfloat16' ? 8e-2 : 1e-4;
}

/** Below this largest absolute value a tensor is dead: that it agrees proves nothing. */
export const deadBelow = 1e-6;

/** Share of a node's largest input that counts as the size of its output when errors are judged: see `verify`. */
export const cancellation = 1e-2;

export interface Difference {
  /** Largest |a − b|; NaN if either holds a NaN or an infinity that the other lacks. */
  readonly max: number;
  /** Largest |b|, of finite entries. */
  readonly scale: number;
}

/**
 * The pruned model's tensor against the kept part of the masked original's.
 * @returns undefined if their shapes differ.
 */
export function difference(
  pruned: Tensor,
  masked: Tensor,
  kept: ReadonlyMap<number, Int32Array>,
): Difference | undefined {
  const reference = sliceTensor(masked, kept);
  const { dims } = reference;
  if (pruned.dims.length !== dims.length || pruned.dims.some((dim, axis) => dim !== dims[axis]))
    return undefined;
  const [got, expected] = [floatsOf(pruned), floatsOf(reference)];
  let max = 0;
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [got[i]!, expected[i]!];
    // Equal infinities agree.
    if (x !== y) {
      const delta = Math.abs(x - y);
      if (!(delta < Infinity)) return { max: NaN, scale };
      if (delta > max) max = delta;
    }
    const size = Math.abs(y);
    if (size > scale && size < Infinity) scale = size;
  }
  return { max, scale };
}
