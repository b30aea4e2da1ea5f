import { emptyNamed } from '../onnx/named.js';
import type { Tensor as RuntimeTensor } from 'onnxruntime-common';
import { PruneError } from '../errors.js';
import { type DataType, dataTypes } from '../onnx/data-type.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { typedArrays } from '../onnx/typed-arrays.js';
import { rawTensor } from '../onnx/values.js';
import type { Runtime } from './runtime.js';

/** The dtypes that can be fed to onnxruntime from JavaScript. */
export type FeedableType = keyof typeof typedArrays;

export function isFeedable(dtype: DataType | undefined): dtype is FeedableType {
  return dtype !== undefined && Object.hasOwn(typedArrays, dtype);
}

/** A zeroed array for elements of a dtype. */
export function arrayFor<T extends FeedableType>(
  dtype: T,
  length: number,
): InstanceType<(typeof typedArrays)[T]> {
  return new typedArrays[dtype](length) as InstanceType<(typeof typedArrays)[T]>;
}

/** What a batch holds of one input. */
interface Feedable {
  readonly dtype: FeedableType;
  readonly data: RuntimeTensor.DataType;
  readonly dims: readonly number[];
}

/** A batch's inputs as a session takes them, not copied. */
export function feedsOf(
  runtime: Runtime,
  inputs: Readonly<Record<string, Feedable>>,
): Record<string, RuntimeTensor> {
  const feeds = emptyNamed<RuntimeTensor>();
  for (const [name, { dtype, data, dims }] of Object.entries(inputs))
    feeds[name] = runtime.tensor(dtype, data, dims);
  return feeds;
}

/** Bytes of tensors of numbers. */
export function bytesOf(tensors: Readonly<Record<string, RuntimeTensor>>): number {
  let bytes = 0;
  for (const { data } of Object.values(tensors)) if (ArrayBuffer.isView(data)) bytes += data.byteLength;
  return bytes;
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
