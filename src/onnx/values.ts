/**
 * Elements of tensors as numbers, and tensors made of numbers.
 * Bytes are little-endian, as raw_data is; so are the typed arrays of every platform that runs JavaScript.
 */
import { getFloat16, setFloat16 } from '@petamoriken/float16';

import { PruneError } from '../errors.js';
import type { DataType } from './data-type.js';
import { bitsOf, dataTypeToNumber } from './data-type.js';
import type { Tensor } from './tensor.js';
import { elementCount } from './tensor.js';
import { RawData } from './tensor-data.js';

export type Floats = Float32Array | Float64Array;
export type FloatType = 'float32' | 'float64' | 'float16' | 'bfloat16';

/** Bytes of one element. @throws PruneError `unsupported` for types of less than a byte, strings and unknown types. */
export function elementBytes(dtype: DataType): number {
  const bits = bitsOf(dtype);
  if (bits === undefined || bits < 8)
    throw new PruneError(
      'unsupported',
      `elements of type ${dtype} have no size in bytes; exclude the node that uses them`,
    );
  return bits / 8;
}

/**
 * The elements of a float tensor: float64 as Float64Array, all others as Float32Array (exact).
 * A view on the file where the bytes are aligned, so it must not be written to.
 * With `widen`, integers and booleans are taken too, as Float64Array (64-bit ones rounded).
 * @throws PruneError `unsupported` for other types.
 */
export function floatsOf(tensor: Tensor, options: { readonly widen?: boolean } = {}): Floats {
  const { dtype, name } = tensor;
  if (options.widen && integerGetters[dtype]) {
    return readIntegers(tensor, new Float64Array(elementCount(tensor.dims)), Number);
  }
  if (dtype !== 'float32' && dtype !== 'float64' && dtype !== 'float16' && dtype !== 'bfloat16')
    throw new PruneError(
      'unsupported',
      `tensor '${name}' of type ${dtype} holds no floats; exclude the node that uses it`,
    );
  return decodeFloats(tensor.data.bytes(), dtype);
}

/**
 * Float bytes as numbers: a view for aligned float32 and float64, else a copy, in `scratch` (4-byte aligned) if that is
 * large enough.
 */
export function decodeFloats(bytes: Uint8Array, dtype: FloatType, scratch?: Uint8Array): Floats {
  const count = Math.floor(bytes.length / (dtype === 'float64' ? 8 : dtype === 'float32' ? 4 : 2));
  const room = (): ArrayBufferView =>
    scratch && scratch.length >= 4 * count ? scratch : new Float32Array(count);
  switch (dtype) {
    case 'float32': {
      if (bytes.byteOffset % 4 === 0) return new Float32Array(bytes.buffer, bytes.byteOffset, count);
      const { buffer, byteOffset } = room();
      new Uint8Array(buffer, byteOffset, 4 * count).set(bytes.subarray(0, 4 * count));
      return new Float32Array(buffer, byteOffset, count);
    }
    case 'float64':
      return alignedArray(bytes, 8, Float64Array);
    case 'bfloat16': {
      const halves = alignedArray(bytes, 2, Uint16Array);
      const { buffer, byteOffset } = room();
      const bits = new Uint32Array(buffer, byteOffset, count);
      for (let i = 0; i < count; i++) bits[i] = halves[i]! << 16;
      return new Float32Array(buffer, byteOffset, count);
    }
    case 'float16': {
      const halves = alignedArray(bytes, 2, Uint16Array);
      const { buffer, byteOffset } = room();
      const out = new Float32Array(buffer, byteOffset, count);
      const table = float16Table();
      for (let i = 0; i < count; i++) out[i] = table[halves[i]!]!;
      return out;
    }
  }
}

let float16Values: Float32Array | undefined;

/** The number of every float16, by its bits: looking it up is several times faster than computing it. */
function float16Table(): Float32Array {
  if (float16Values) return float16Values;
  const bits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
  const view = new DataView(bits.buffer);
  return (float16Values = Float32Array.from(bits, (_, i) => getFloat16(view, 2 * i, true)));
}

/** Numbers as bytes of a float type, rounded to nearest even; a view for an array that has the type already. */
export function encodeFloats(values: ArrayLike<number>, dtype: FloatType): Uint8Array {
  switch (dtype) {
    case 'float32':
      return bytesOf(values instanceof Float32Array ? values : Float32Array.from(values));
    case 'float64':
      return bytesOf(values instanceof Float64Array ? values : Float64Array.from(values));
    case 'bfloat16': {
      const single = values instanceof Float32Array ? values : Float32Array.from(values);
      const bits = new Uint32Array(single.buffer, single.byteOffset, single.length);
      const out = new Uint16Array(single.length);
      for (let i = 0; i < out.length; i++) {
        const value = bits[i]!;
        // A NaN must not round to infinity.
        out[i] = Number.isNaN(single[i])
          ? (value >>> 16) | 64
          : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16;
      }
      return bytesOf(out);
    }
    case 'float16': {
      const out = new Uint8Array(values.length * 2);
      const view = new DataView(out.buffer);
      for (let i = 0; i < values.length; i++) setFloat16(view, 2 * i, values[i]!, true);
      return out;
    }
  }
}

/**
 * The elements of an integer or boolean tensor. 64-bit values are clamped to safe integers, so that bounds
 * such as INT64_MAX ("to the end") stay in order.
 * @throws PruneError `unsupported` for other types.
 */
export function integersOf(tensor: Tensor): number[] {
  const count = elementCount(tensor.dims);
  return readIntegers(tensor, new Array<number>(count).fill(0), clamp);
}

/** A tensor of the given little-endian bytes, which are not copied. */
export function rawTensor(name: string, dtype: DataType, dims: readonly number[], bytes: Uint8Array): Tensor {
  const bits = bitsOf(dtype);
  const expected = bits === undefined ? bytes.length : Math.ceil((elementCount(dims) * bits) / 8);
  if (bytes.length !== expected)
    throw new PruneError(
      'internal',
      `tensor '${name}' of shape [${dims.join(', ')}] needs ${expected} bytes but got ${bytes.length}; report this`,
    );
  return { name, dims, dtype, data: new RawData(bytes), docString: '' };
}

/** A tensor of integers or booleans; a vector unless `dims` says otherwise. Default dtype int64. */
export function integerTensor(
  name: string,
  values: readonly (number | bigint)[],
  dims: readonly number[] = [values.length],
  dtype: DataType = 'int64',
): Tensor {
  const set = integerSetters[dtype];
  if (!set) throw new PruneError('internal', `tensor '${name}' can't hold integers as ${dtype}; report this`);
  const size = elementBytes(dtype);
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => set(view, i * size, value));
  return rawTensor(name, dtype, dims, bytes);
}

/** A tensor of floats; float32 unless `dtype` says otherwise, a vector unless `dims` does. */
export function floatTensor(
  name: string,
  values: ArrayLike<number>,
  dims: readonly number[] = [values.length],
  dtype: FloatType = 'float32',
): Tensor {
  return rawTensor(name, dtype, dims, encodeFloats(values, dtype));
}

/** The same tensor (name, type, storage kind) with other elements, of the same shape or of `dims`. */
export function withBytes(tensor: Tensor, bytes: Uint8Array, dims: readonly number[] = tensor.dims): Tensor {
  const { data } = rawTensor(tensor.name, tensor.dtype, dims, bytes);
  const storage = tensor.data.storage === 'external' ? 'external' : 'raw';
  return { ...tensor, dims, data: storage === 'external' ? new RawData(bytes, storage) : data };
}

type Getter = (view: DataView, at: number) => number | bigint;
type Setter = (view: DataView, at: number, value: number | bigint) => void;

const integerGetters: Readonly<Record<string | number, Getter | undefined>> = {
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  bool: (view, at) => view.getUint8(at),
  int16: (view, at) => view.getInt16(at, true),
  uint16: (view, at) => view.getUint16(at, true),
  int32: (view, at) => view.getInt32(at, true),
  uint32: (view, at) => view.getUint32(at, true),
  int64: (view, at) => view.getBigInt64(at, true),
  uint64: (view, at) => view.getBigUint64(at, true),
};

const integerSetters: Readonly<Record<string | number, Setter | undefined>> = {
  int8: (view, at, value) => view.setInt8(at, Number(value)),
  uint8: (view, at, value) => view.setUint8(at, Number(value)),
  bool: (view, at, value) => view.setUint8(at, Number(value)),
  int16: (view, at, value) => view.setInt16(at, Number(value), true),
  uint16: (view, at, value) => view.setUint16(at, Number(value), true),
  int32: (view, at, value) => view.setInt32(at, Number(value), true),
  uint32: (view, at, value) => view.setUint32(at, Number(value), true),
  int64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  uint64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
};

function readIntegers<T extends number[] | Float64Array>(
  tensor: Tensor,
  out: T,
  convert: (value: number | bigint) => number,
): T {
  const get = integerGetters[tensor.dtype];
  if (!get)
    throw new PruneError(
      'unsupported',
      `tensor '${tensor.name}' of type ${tensor.dtype} (${dataTypeToNumber(tensor.dtype)}) holds no integers; exclude the node that uses it`,
    );
  const bytes = tensor.data.bytes();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = elementBytes(tensor.dtype);
  for (let i = 0; i < out.length; i++) out[i] = convert(get(view, i * size));
  return out;
}

function clamp(value: number | bigint): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, Number(value)));
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A typed array over the bytes; of a copy if they aren't aligned. */
export function alignedArray<T>(
  bytes: Uint8Array,
  size: number,
  type: new (buffer: ArrayBufferLike, offset: number, length: number) => T,
): T {
  const source = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new type(source.buffer, source.byteOffset, Math.floor(source.byteLength / size));
}
