import { PruneError } from '../errors.js';
import { MemoryBytes, type ByteSource } from './bytes.js';
import { Decoder } from './decode.js';
import { Encoder } from './encode.js';
import type { ExternalEntries, ExternalReader } from './external.js';
import type { Model } from './model.js';
import { outlineModel, type Outline } from './outline.js';
import { allTensors } from './walk.js';
import { decodeProto, encodeProto, joined } from './unknown-fields.js';

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
  return decode(new MemoryBytes(bytes), () => ({ bytes, cuts: new Map() }), options);
}

/**
 * Decodes an ONNX file without reading its large weights: they are read, range by range, when they are asked for.
 * @throws PruneError as `decodeModel`.
 */
export function decodeModelFile(file: ByteSource, options: DecodeOptions = {}): Model {
  return decode(file, () => outlineModel(file), options);
}

function decode(file: ByteSource, outline: () => Outline, options: DecodeOptions): Model {
  const name = options.name ?? 'the model';
  if (file.byteLength === 0)
    throw new PruneError('invalid-file', `${name} is empty; download or export it again`);
  if (isOrtFormat(file))
    throw new PruneError(
      'invalid-file',
      `${name} is in onnxruntime's own format (.ort); give the .onnx file that it was converted from`,
    );
  try {
    const { message, table } = decodeProto(outline());
    return new Decoder(table, file, options.external).model(message);
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
  return joined(encodeModelParts(model, options));
}

/**
 * An ONNX file in parts, one after the other: the weights as they are stored, nothing of them read yet.
 * @throws PruneError as `encodeModel`.
 */
export function encodeModelParts(model: Model, options: EncodeOptions = {}): ByteSource[] {
  const external = options.external ?? new Map();
  // Told before protobuf counts the bytes with 32 bits.
  const inline = [...allTensors(model)].filter((tensor) => !external.has(tensor));
  checkSize(total(inline.map(({ data }) => data).filter(({ storage }) => storage !== 'absent')));
  const encoder = new Encoder(external);
  const message = encoder.model(model);
  const parts = encodeProto(message, encoder.extras);
  checkSize(total(parts));
  return parts;
}

/** By the identifier of its flatbuffer. */
function isOrtFormat(file: ByteSource): boolean {
  return file.byteLength >= 8 && new TextDecoder('latin1').decode(file.read(4, 8)) === 'ORTM';
}

const total = (parts: readonly ByteSource[]): number =>
  parts.reduce((sum, { byteLength }) => sum + byteLength, 0);

function checkSize(bytes: number): void {
  if (bytes > maxModelBytes)
    throw new PruneError(
      'unsupported',
      `the model takes ${bytes} bytes, and protobuf ends at 2 GiB; store its weights externally`,
    );
}
