import { PruneError } from '../errors.js';
import type { DataType } from '../onnx/data-type.js';
import { typedArrays } from '../onnx/typed-arrays.js';
import { decodeFloat16, encodeFloat16 } from './float16.js';

export type Elements =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Dtypes that a batch can carry: those onnxruntime's JavaScript API takes as plain typed arrays. */
export type ElementType = keyof typeof typedArrays;

export function isElementType(dtype: DataType): dtype is ElementType {
  return typeof dtype === 'string' && Object.hasOwn(typedArrays, dtype);
}

export function isFloatElement(dtype: ElementType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16';
}

export function bytesPerElement(dtype: ElementType): number {
  return typedArrays[dtype].BYTES_PER_ELEMENT;
}

/** A zeroed array of `count` elements. Callers bound `count` first. */
export function allocate(dtype: ElementType, count: number): Elements {
  return new typedArrays[dtype](count);
}

/** A view of little-endian bytes where their offset is aligned, a copy where not. */
export function viewElements(dtype: ElementType, bytes: Uint8Array): Elements {
  const Constructor = typedArrays[dtype];
  const size = Constructor.BYTES_PER_ELEMENT;
  // The slice of a Buffer would be a view.
  const aligned = bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes);
  return new Constructor(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
}

/** Whether a typed array is the kind that carries `dtype`. */
export function holds(data: Elements, dtype: ElementType): boolean {
  return data instanceof typedArrays[dtype];
}

/** The dtype that a typed array most plainly means (Uint16Array: uint16, Uint8Array: uint8). */
export function elementTypeOf(data: Elements): ElementType {
  for (const [dtype, Constructor] of Object.entries(typedArrays)) {
    if (data instanceof Constructor && dtype !== 'float16') return dtype as ElementType;
  }
  throw new PruneError('invalid-data', 'not a typed array of numbers; pass a Float32Array, Int32Array, ...');
}

/** Reverses the bytes of every element in place: big endian to little endian. */
export function swapBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start + size <= bytes.length; start += size) {
    bytes.subarray(start, start + size).reverse();
  }
}

/** Elements as float32 or float64 numbers: float16 bits are decoded, 64-bit integers rounded; else a view. */
export function toNumbers(tensor: {
  readonly dtype: ElementType;
  readonly data: Elements;
}): Exclude<Elements, BigInt64Array | BigUint64Array> {
  const { data, dtype } = tensor;
  if (dtype === 'float16') return decodeFloat16(data as Uint16Array);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  return data;
}

const integerRanges: Partial<Record<ElementType, readonly [number, number]>> = {
  bool: [0, 1],
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
};

/**
 * Elements as another dtype. Floats of any width and integers become floats; integers become integers where every
 * value fits.
 * @throws PruneError `invalid-data` naming `name` for floats to integers and for values out of range.
 */
export function convertElements(data: Elements, from: ElementType, to: ElementType, name: string): Elements {
  if (from === to) return data;
  if (isFloatElement(to)) {
    const numbers = toNumbers({ dtype: from, data });
    if (to === 'float16') return encodeFloat16(numbers);
    return to === 'float32' ? Float32Array.from(numbers) : Float64Array.from(numbers);
  }
  if (isFloatElement(from)) {
    throw new PruneError(
      'invalid-data',
      `input '${name}' expects ${to}, got ${from}; save the array as ${to}`,
    );
  }
  return convertIntegers(data, to, name);
}

function convertIntegers(data: Elements, to: ElementType, name: string): Elements {
  const outOfRange = (value: number | bigint) =>
    new PruneError('invalid-data', `input '${name}' expects ${to}, got ${value}; give values that fit ${to}`);
  const out = allocate(to, data.length);
  if (out instanceof BigInt64Array || out instanceof BigUint64Array) {
    for (let i = 0; i < data.length; i++) {
      const value = BigInt(data[i]!);
      out[i] = value;
      if (out[i] !== value) throw outOfRange(value);
    }
    return out;
  }
  const [low, high] = integerRanges[to]!;
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value < low || value > high) throw outOfRange(value);
    out[i] = Number(value);
  }
  return out;
}
