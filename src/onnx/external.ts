import { PruneError } from '../errors.js';
import type { FilePlace } from './bytes.js';
import type { StringEntry } from './message.js';
import type { Tensor } from './tensor.js';

/** Tensors to be written as references to another file, with their `external_data` entries. */
export type ExternalEntries = ReadonlyMap<Tensor, readonly StringEntry[]>;

/** A part of another file, as `external_data` names it. */
export interface ExternalRange {
  /** Path relative to the model's folder, with `/`. */
  readonly location: string;
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** Reaches the files next to a model. Both functions throw PruneError `unsafe-path` or `invalid-file`. */
export interface ExternalReader {
  /** Throws if the range can't be read; called for every external tensor when a model is decoded. */
  check(range: ExternalRange): void;
  /** The bytes of a range, in the front of `scratch` if that is large enough. */
  read(range: ExternalRange, scratch?: Uint8Array): Uint8Array;
  /** Where a range lies, for other threads. */
  place?(range: ExternalRange): FilePlace;
}

/** The range of `external_data` entries; a missing offset is 0, a missing length is what the dims need (undefined if unknown). */
export function externalRange(
  entries: readonly StringEntry[],
  tensorName: string,
  byteLength: number | undefined,
): ExternalRange {
  const find = (key: string): string | undefined => entries.find((entry) => entry.key === key)?.value;
  const size = (key: string, fallback: number | undefined): number => {
    const text = find(key) ?? String(fallback);
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw new PruneError(
      'invalid-file',
      `tensor '${tensorName}' has the external ${key} '${text}', which is no byte count; export the model again`,
    );
  };
  const location = find('location');
  if (!location)
    throw new PruneError(
      'invalid-file',
      `tensor '${tensorName}' is external but names no file; export the model again`,
    );
  const length = size('length', byteLength);
  if (byteLength !== undefined && length !== byteLength)
    throw new PruneError(
      'invalid-file',
      `tensor '${tensorName}' needs ${byteLength} bytes but ${length} are stored; export the model again`,
    );
  return { location, offset: size('offset', 0), length };
}
