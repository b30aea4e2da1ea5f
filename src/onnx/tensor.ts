import type { ByteSource } from './bytes.js';
import type { DataType } from './data-type.js';
import type { StringEntry, UnknownFields } from './message.js';

/**
 * A constant tensor (an initializer or a tensor attribute).
 * Its elements are reached only through `data`, which is a lazy view: nothing is read or copied before it is asked for.
 */
export interface Tensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dtype: DataType;
  readonly data: TensorData;
  readonly docString: string;
  readonly segment?: Uint8Array;
  readonly unknown?: UnknownFields;
}

/** The elements as little-endian bytes, the form of raw_data (4-bit types packed two a byte). */
export interface TensorData extends ByteSource {
  /**
   * How the file stores the elements, so that writing keeps the form:
   * `raw` = raw_data, `typed` = float_data and its kin, `external` = another file, `strings` = string_data,
   * `absent` = nowhere, as in a model whose weights were stripped.
   */
  readonly storage: 'raw' | 'typed' | 'external' | 'strings' | 'absent';
  /**
   * All of it at once: a view where the storage allows it, so it must not be written to.
   * @throws PruneError `unsupported` for strings; `unsafe-path` or `invalid-file` for data that can't be read.
   */
  bytes(): Uint8Array;
  /** Only for `strings`. */
  readonly strings?: readonly Uint8Array[];
  /** Only for `external` as read: the entries as they stand in the file (location, offset, length, checksum, ...). */
  readonly externalEntries?: readonly StringEntry[];
}

/** Number of elements of a shape. */
export function elementCount(dims: readonly number[]): number {
  let count = 1;
  for (const dim of dims) count *= dim;
  return count;
}
