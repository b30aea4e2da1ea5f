import { PruneError } from '../errors.js';
import { Decoder } from './decode.js';
import type { ExternalEntries } from './encode.js';
import { Encoder } from './encode.js';
import type { ExternalReader } from './external.js';
import type { Model } from './model.js';
import { decodeProto, encodeProto } from './unknown-fields.js';

export interface DecodeOptions {
  /** Reaches external data; without it such tensors have dims but no bytes. */
  readonly external?: ExternalReader | undefined;
  /** What error messages call the model; default `the model`. */
  readonly name?: string;
}

export interface EncodeOptions {
  /** Tensors that stay outside; all others are written inline, external ones too. */
  readonly external?: ExternalEntries;
}

/** Largest file that protobuf parsers read: 2 GiB less one byte. */
export const maxModelBytes = 2 ** 31 - 1;

/**
 * Decodes an ONNX file. Weights are views on `bytes`, which must not change afterwards.
 * Fields newer than the schema are kept and written again by `encodeModel`.
 * @throws PruneError `invalid-file` for anything that isn't a whole ONNX model.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Model {
  const name = options.name ?? 'the model';
  if (bytes.length === 0)
    throw new PruneError('invalid-file', `${name} is empty; download or export it again`);
  try {
    const { message, table } = decodeProto(bytes);
    return new Decoder(table, options.external).model(message);
  } catch (cause) {
    if (cause instanceof PruneError) throw cause;
    const reason = cause instanceof Error ? cause.message.split('\n')[0]! : String(cause);
    const problem = `${name} is damaged or not an onnx model: ${reason}; download or export it again`;
    throw new PruneError('invalid-file', problem, { cause });
  }
}

/**
 * Encodes a model as an ONNX file, in one allocation. The same model gives the same bytes.
 * @throws PruneError `unsupported` past 2 GiB (the weights must then go to an external file).
 */
export function encodeModel(model: Model, options: EncodeOptions = {}): Uint8Array {
  const encoder = new Encoder(options.external ?? new Map());
  const message = encoder.model(model);
  const bytes = encodeProto(message, encoder.extras);
  if (bytes.length > maxModelBytes)
    throw new PruneError(
      'unsupported',
      `the model takes ${bytes.length} bytes, and protobuf ends at 2 GiB; store its weights externally`,
    );
  return bytes;
}
