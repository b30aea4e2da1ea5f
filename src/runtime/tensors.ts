import type { Tensor as RuntimeTensor } from 'onnxruntime-common';
import { PruneError } from '../errors.js';
import { type DataType, dataTypes } from '../onnx/data-type.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { rawTensor } from '../onnx/values.js';
import type { Runtime } from './runtime.js';

type NumericArray =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>;

/** The array that onnxruntime's JavaScript API wants for each dtype (float16 as bits). */
const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
} as const satisfies Record<string, new (length: number) => NumericArray>;

/** The dtypes that can be fed to onnxruntime from JavaScript. */
export type FeedableType = keyof typeof arrays;

export function isFeedable(dtype: DataType | undefined): dtype is FeedableType {
  return dtype !== undefined && Object.hasOwn(arrays, dtype);
}

/** A zeroed array for elements of a dtype. */
export function arrayFor<T extends FeedableType>(dtype: T, length: number): InstanceType<(typeof arrays)[T]> {
  return new arrays[dtype](length) as InstanceType<(typeof arrays)[T]>;
}

/**
 * A constant as an onnxruntime tensor; its elements are copied, since a file's may be misaligned.
 * @throws PruneError `unsupported` for dtypes that JavaScript can't feed (strings, bfloat16, 8-bit and 4-bit floats).
 */
export function toRuntime(runtime: Runtime, { name, dtype, dims, data }: Tensor): RuntimeTensor {
  if (!isFeedable(dtype)) {
    throw new PruneError(
      'unsupported',
      `tensor ${name} has type ${dtype}, which can't be fed; use float32 instead`,
    );
  }
  const array = arrayFor(dtype, elementCount(dims));
  new Uint8Array(array.buffer).set(data.bytes());
  return runtime.tensor(dtype, array, dims);
}

/**
 * An onnxruntime tensor as a constant, without copying its elements.
 * @throws PruneError `unsupported` for strings.
 */
export function fromRuntime(name: string, value: RuntimeTensor): Tensor {
  const { type, data, dims } = value;
  if (!ArrayBuffer.isView(data) || !(type in dataTypes)) {
    throw new PruneError(
      'unsupported',
      `value ${name} holds elements of type ${type}; exclude the node that writes it`,
    );
  }
  return rawTensor(name, type, dims, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
