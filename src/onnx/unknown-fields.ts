/**
 * onnx-proto 8.0.1 is generated from ONNX 1.10 and drops fields it doesn't know. This file makes it lossless:
 * while one decode or encode runs (synchronously), the generated functions of every message type are wrapped.
 *
 * Decoding runs on a Reader of ours. The generated code calls `skipType` for a field it doesn't know, and the
 * reader notes its bytes, tag included, for the message being read. Encoding appends them after the known fields.
 */
import onnxProto from 'onnx-proto';
import protobuf from 'protobufjs/minimal.js';

import { PruneError } from '../errors.js';
import { copyAll, MemoryBytes, type ByteSource } from './bytes.js';
import type { FileRange, Outline } from './outline.js';
import { bytesOfEscaped, textOf } from './utf8.js';
import { concatBytes, MalformedError, splitFields } from './wire.js';

export const { onnx } = onnxProto;

/** What the generated code can't hold, by the message it belongs to. */
export interface SideTable {
  /** Raw bytes of the fields that onnx-proto doesn't know. */
  readonly unknown: Map<object, Uint8Array>;
  /** The message as it stands in the file, where it is carried along and not read. */
  readonly encoded: Map<object, Uint8Array>;
  /** `float_data` and its kin by field number, as packed in the file: decoding them would take 8 bytes an element. */
  readonly packed: Map<object, ReadonlyMap<number, Uint8Array>>;
  /** Where raw_data lies that was left in the file. */
  readonly left: Map<object, FileRange>;
}

interface MessageType {
  decode: (reader: protobuf.Reader, length?: number) => object;
  encode: (message: object, writer?: protobuf.Writer) => protobuf.Writer;
}

const messageTypes = [
  onnx.ModelProto, onnx.GraphProto, onnx.NodeProto, onnx.AttributeProto, onnx.TensorProto, onnx.TensorProto.Segment,
  onnx.ValueInfoProto, onnx.TypeProto, onnx.TypeProto.Tensor, onnx.TypeProto.Sequence, onnx.TypeProto.Map,
  onnx.TypeProto.Optional, onnx.TypeProto.SparseTensor, onnx.TensorShapeProto, onnx.TensorShapeProto.Dimension,
  onnx.SparseTensorProto, onnx.TensorAnnotation, onnx.StringStringEntryProto, onnx.OperatorSetIdProto,
  onnx.FunctionProto, onnx.TrainingInfoProto,
] as unknown as readonly MessageType[]; // prettier-ignore

const tensorType = onnx.TensorProto as unknown as MessageType;

/** Subgraphs inside subgraphs: protobuf's own parsers stop at 100 messages. */
const maxDepth = 300;

/** Numbers of the packed fields of TensorProto. */
export const typedFields = { float: 4, int32: 5, int64: 7, double: 10, uint64: 11 } as const;
const typedFieldNumbers: ReadonlySet<number> = new Set(Object.values(typedFields));

class RecordingReader extends protobuf.Reader {
  tagStart = 0;
  limit: number;
  depth = 0;
  skipped: Uint8Array[] | undefined;

  constructor(bytes: Uint8Array) {
    super(bytes);
    this.limit = bytes.length;
  }

  /** Notes where it starts: the last one read before `skipType` is the tag of the skipped field. */
  override uint32(): number {
    this.tagStart = this.pos;
    return super.uint32();
  }

  /** As bigint, so that nothing depends on whether the optional package `long` is there. */
  override int64(): never {
    let low = 0;
    let high = 0;
    for (let i = 0; ; i++) {
      if (i === 10 || this.pos >= this.len) throw new MalformedError('a number is cut off');
      const byte = this.buf[this.pos++]!;
      if (i < 4) low |= (byte & 127) << (7 * i);
      else if (i === 4) {
        low |= (byte & 127) << 28;
        high = (byte & 127) >>> 4;
      } else high |= (byte & 127) << (7 * i - 32);
      if (byte < 128) break;
    }
    const value = high === 0 ? BigInt(low >>> 0) : (BigInt(high) << 32n) | BigInt(low >>> 0);
    return value as never;
  }

  override bytes(): Uint8Array {
    const length = this.uint32();
    const start = this.pos;
    this.skip(length);
    return this.buf.subarray(start, this.pos);
  }

  override string(): string {
    return textOf(this.bytes());
  }

  override skipType(wireType: number): this {
    const start = this.tagStart;
    if (this.buf[start]! < 8) throw new MalformedError('a field has the number 0');
    // Groups by a counter: their nesting is not bounded by the message depth.
    let open = 0;
    for (let type = wireType; ; type = this.uint32() & 7) {
      if (type === 0) this.skip();
      else if (type === 1) this.skip(8);
      else if (type === 2) this.skip(this.uint32());
      else if (type === 3) open++;
      else if (type === 4 && open > 0) open--;
      else if (type === 5) this.skip(4);
      else throw new MalformedError(`wire type ${type} is not in use`);
      if (open === 0) break;
    }
    (this.skipped ??= []).push(this.buf.subarray(start, this.pos));
    return this;
  }
}

/** Decodes a ModelProto. Byte fields are views on `bytes`. @throws Error of any kind for malformed bytes. */
export function decodeProto(outline: Outline): { message: onnxProto.onnx.ModelProto; table: SideTable } {
  checkHooks();
  return decodeAs(onnx.ModelProto as unknown as MessageType, outline);
}

/**
 * Encodes a ModelProto and, after the known fields of each message, the `extras` it has. Byte fields that are
 * `DeferredBytes` stay what they are: the file is all parts, one after the other.
 */
export function encodeProto(
  message: onnxProto.onnx.IModelProto,
  extras: ReadonlyMap<object, readonly Uint8Array[]>,
): ByteSource[] {
  checkHooks();
  return encodeAs(onnx.ModelProto, message, extras);
}

/** Stands for a byte field while a message is encoded: of that no more is asked than its length. */
export class DeferredBytes {
  constructor(readonly source: ByteSource) {}

  get length(): number {
    return this.source.byteLength;
  }
}

function decodeAs<T>(type: MessageType, { bytes, cuts }: Outline): { message: T; table: SideTable } {
  const table: SideTable = { unknown: new Map(), encoded: new Map(), packed: new Map(), left: new Map() };
  // A plain Uint8Array: views on a Buffer would be Buffers, whose slice() shares memory.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const message = hooked(
    'decode',
    (original, messageType) => (reader, length) => {
      if (!(reader instanceof RecordingReader)) throw new Error('not our reader');
      const { pos } = reader;
      const message = decodeMessage(messageType, original, reader, length, table);
      const cut = messageType === tensorType ? cuts.get(pos) : undefined;
      if (cut) table.left.set(message, cut);
      return message;
    },
    () => type.decode(new RecordingReader(plain)) as T,
  );
  return { message, table };
}

function encodeAs(
  type: MessageType,
  message: object,
  extras: ReadonlyMap<object, readonly Uint8Array[]>,
): ByteSource[] {
  return hooked(
    'encode',
    (original) => (inner, writer) => {
      const out = original(inner, writer);
      for (const bytes of extras.get(inner) ?? []) appendRaw(out, bytes);
      return out;
    },
    () => finish(type.encode(message, losslessWriter())),
  );
}

/** Writes texts as `textOf` read them. */
function losslessWriter(): protobuf.Writer {
  const writer = protobuf.Writer.create();
  const plain = writer.string.bind(writer);
  writer.string = (value) => {
    const bytes = bytesOfEscaped(value);
    return bytes ? writer.bytes(bytes) : plain(value);
  };
  return writer;
}

/** What `Writer.finish` does, but for deferred bytes. */
function finish(writer: protobuf.Writer): ByteSource[] {
  const parts: ByteSource[] = [];
  const write = (from: WriteOperation | undefined, to: WriteOperation | undefined, length: number): void => {
    if (length === 0) return;
    const bytes = (writer.constructor as typeof protobuf.Writer).alloc(length);
    let at = 0;
    for (let operation = from; operation && operation !== to; operation = operation.next) {
      operation.fn(operation.val, bytes, at);
      at += operation.len;
    }
    parts.push(new MemoryBytes(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)));
  };
  let first = (writer as unknown as RawWriter).head.next;
  let length = 0;
  for (let operation = first; operation; operation = operation.next) {
    if (!(operation.val instanceof DeferredBytes)) {
      length += operation.len;
      continue;
    }
    write(first, operation, length);
    parts.push(operation.val.source);
    first = operation.next;
    length = 0;
  }
  write(first, undefined, length);
  return parts;
}

/** All parts in one array. */
export function joined(parts: readonly ByteSource[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((total, { byteLength }) => total + byteLength, 0));
  let at = 0;
  for (const part of parts) {
    copyAll(part, out, at);
    at += part.byteLength;
  }
  return out;
}

/** Wraps a function of every message type while `run` runs. */
function hooked<K extends keyof MessageType, T>(
  name: K,
  wrap: (original: MessageType[K], type: MessageType) => MessageType[K],
  run: () => T,
): T {
  const originals = messageTypes.map((type) => type[name]);
  try {
    messageTypes.forEach((type, i) => (type[name] = wrap(originals[i]!, type)));
    return run();
  } finally {
    messageTypes.forEach((type, i) => (type[name] = originals[i]!));
  }
}

function decodeMessage(
  type: MessageType,
  decode: MessageType['decode'],
  reader: RecordingReader,
  length: number | undefined,
  table: SideTable,
): object {
  const { limit, skipped, pos: start } = reader;
  const end = length === undefined ? reader.len : start + length;
  if (end > limit) throw new MalformedError('a message runs past the end of the one around it');
  if (++reader.depth > maxDepth) throw new MalformedError(`it is nested more than ${maxDepth} messages deep`);
  reader.limit = end;
  reader.skipped = undefined;

  const isTensor = type === tensorType;
  const message = isTensor ? decodeTensor(decode, reader, end, table) : decode(reader, end - start);
  if (reader.pos !== end) throw new MalformedError('a field runs past the end of its message');
  if (reader.skipped) table.unknown.set(message, concatBytes(reader.skipped));
  if (isCarriedAlong(message)) table.encoded.set(message, reader.buf.subarray(start, end));

  reader.depth--;
  reader.limit = limit;
  reader.skipped = skipped;
  return message;
}

/** Takes packed elements out before the generated code would make an array of them. */
function decodeTensor(
  decode: MessageType['decode'],
  reader: RecordingReader,
  end: number,
  table: SideTable,
): object {
  const fields = splitFields(reader.buf, reader.pos, end);
  if (!fields.some((field) => typedFieldNumbers.has(field.number))) return decode(reader, end - reader.pos);
  const rest: Uint8Array[] = [];
  const chunks = new Map<number, Uint8Array[]>();
  for (const { number, start, content, end } of fields) {
    if (!typedFieldNumbers.has(number)) rest.push(reader.buf.subarray(start, end));
    else if (content < end) {
      const list = chunks.get(number) ?? [];
      chunks.set(number, list);
      list.push(reader.buf.subarray(content, end));
    }
  }
  const inner = new RecordingReader(concatBytes(rest));
  inner.depth = reader.depth;
  const message = decode(inner, inner.len);
  reader.pos = end;
  reader.skipped = inner.skipped;
  table.packed.set(message, new Map([...chunks].map(([number, list]) => [number, concatBytes(list)])));
  return message;
}

function isCarriedAlong(message: object): boolean {
  if (message instanceof onnx.TypeProto) return !message.tensorType;
  // Typed ones too: what they hold besides their value is found there.
  if (message instanceof onnx.AttributeProto) return true;
  return (
    message instanceof onnx.SparseTensorProto ||
    message instanceof onnx.TrainingInfoProto ||
    message instanceof onnx.TensorProto.Segment
  );
}

/** One step of what a Writer notes down. */
interface WriteOperation {
  readonly fn: (value: unknown, out: Uint8Array, at: number) => void;
  readonly len: number;
  readonly val: unknown;
  readonly next: WriteOperation | undefined;
}

/** Writer has no public way to append bytes that are already encoded, nor to tell what it noted down. */
interface RawWriter {
  readonly head: WriteOperation;
  _push(
    write: (value: Uint8Array, out: Uint8Array, at: number) => void,
    length: number,
    value: Uint8Array,
  ): unknown;
}

function appendRaw(writer: protobuf.Writer, bytes: Uint8Array): void {
  (writer as unknown as RawWriter)._push((value, out, at) => out.set(value, at), bytes.length, bytes);
}

/** Sends an unknown field through decode and encode, so that an upgrade that breaks the hooks can't go unseen. */
function checkHooks(): void {
  const field = Uint8Array.of(0xaa, 0xf1, 0x04, 0x02, 0x6f, 0x6b); // number 9,999
  const nested = Uint8Array.of(0x3a, field.length, ...field); // GraphProto graph = 7
  const fail = (cause?: unknown): never => {
    const message =
      'onnx-proto does not run on the copy of protobufjs that onnx-prune hooks into; ' +
      'install protobufjs 6.11 and onnx-proto 8.0.1 once ("npm dedupe")';
    throw new PruneError('internal', message, { cause });
  };
  let encoded: Uint8Array | undefined;
  try {
    const type = onnx.ModelProto as unknown as MessageType;
    const { message, table } = decodeAs<onnxProto.onnx.ModelProto>(type, { bytes: nested, cuts: new Map() });
    encoded = joined(
      encodeAs(type, message, new Map([...table.unknown].map(([key, bytes]) => [key, [bytes]]))),
    );
  } catch (cause) {
    fail(cause);
  }
  if (encoded?.length !== nested.length || encoded.some((byte, i) => byte !== nested[i])) fail();
}
