import type { ByteSource } from './bytes.js';
import { MalformedError, varintBytes, type WireField } from './wire.js';

/** A range of a file. */
export interface FileRange {
  readonly from: number;
  readonly to: number;
}

/** A ModelProto without the large raw_data of its tensors. */
export interface Outline {
  readonly bytes: Uint8Array;
  /** Where what was left out lies in the file, by the position at which the tensor's message begins in `bytes`. */
  readonly cuts: ReadonlyMap<number, FileRange>;
}

type Kind = 'model' | 'graph' | 'node' | 'attribute' | 'function' | 'tensor';

/** The fields in which tensors may be found, by message. */
const paths: Readonly<Record<Kind, Readonly<Record<number, Kind>>>> = {
  model: { 7: 'graph', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph' },
  function: { 7: 'node' },
  tensor: {},
};
const rawData = 9;

/** Smaller fields aren't looked into: what is gained isn't worth a read. */
const minimalCut = 2 ** 16;
/** As deep as the codec goes. */
const maxDepth = 300;

/**
 * Reads everything of a model's file but the large weights.
 * @throws MalformedError for bytes that don't follow the wire format.
 */
export function outlineModel(file: ByteSource): Outline {
  const parts: Uint8Array[] = [];
  const cuts = new Map<number, FileRange>();
  const { parts: found, length } = new Outliner(file).message('model', 0, file.byteLength, 0);
  let at = 0;
  for (const part of found) {
    if (part instanceof Uint8Array) {
      parts.push(part);
      at += part.length;
    } else cuts.set(at, part);
  }
  const bytes = new Uint8Array(length);
  at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return { bytes, cuts };
}

interface Message {
  /** Bytes, and before those of a tensor that lost its elements where these are. */
  readonly parts: readonly (Uint8Array | FileRange)[];
  readonly length: number;
}

/** Bytes that are looked at together when headers of fields are read. */
const windowBytes = 2 ** 16;

class Outliner {
  private readonly buffer = new Uint8Array(windowBytes);
  private window: Uint8Array = new Uint8Array(0);
  private start = 0;

  constructor(private readonly file: ByteSource) {}

  message(kind: Kind, from: number, to: number, depth: number): Message {
    if (depth > maxDepth) throw new MalformedError(`it is nested more than ${maxDepth} messages deep`);
    const parts: (Uint8Array | FileRange)[] = [];
    let length = 0;
    const push = (part: Uint8Array): void => {
      parts.push(part);
      length += part.length;
    };
    const cut = kind === 'tensor' ? this.largeRawData(from, to) : undefined;
    if (cut) parts.push({ from: cut.content, to: cut.end });
    // Neighbouring fields that stay as they are become one part.
    let start = from;
    for (const field of this.fields(from, to)) {
      const inner = paths[kind][field.number];
      const descends = inner !== undefined && field.wireType === 2 && isLarge(field);
      if (field.start !== cut?.start && !descends) continue;
      if (field.start > start) push(this.file.read(start, field.start));
      start = field.end;
      if (!descends) continue;
      const message = this.message(inner, field.content, field.end, depth + 1);
      push(Uint8Array.from([...varintBytes(field.number * 8 + 2), ...varintBytes(message.length)]));
      for (const part of message.parts) parts.push(part);
      length += message.length;
    }
    if (to > start) push(this.file.read(start, to));
    return { parts, length };
  }

  /** Where a field stands twice the last one counts: then nothing is left out. */
  private largeRawData(from: number, to: number): WireField | undefined {
    let found: WireField | undefined;
    for (const field of this.fields(from, to)) {
      if (field.number !== rawData) continue;
      if (found || field.wireType !== 2) return undefined;
      found = field;
    }
    return found && isLarge(found) ? found : undefined;
  }

  /** The fields of a message, without what stands in them; none of a message with groups, which is then kept whole. */
  private *fields(from: number, to: number): Generator<WireField> {
    for (let at = from; at < to;) {
      const start = at;
      const tag = this.varint(at, to);
      const wireType = tag.value % 8;
      at = tag.end;
      let content = at;
      if (wireType === 0) at = this.varint(at, to).end;
      else if (wireType === 1) at += 8;
      else if (wireType === 5) at += 4;
      else if (wireType === 2) {
        const size = this.varint(at, to);
        content = size.end;
        at = size.end + size.value;
      } else return;
      if (at > to) throw new MalformedError('a field runs past the end of its message');
      yield { number: Math.floor(tag.value / 8), wireType, start, content, end: at };
    }
  }

  private varint(at: number, limit: number): { value: number; end: number } {
    let value = 0;
    for (let i = 0; i < 10 && at + i < limit; i++) {
      const byte = this.byte(at + i);
      // Powers instead of shifts: lengths may need more than 31 bits.
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return { value, end: at + i + 1 };
    }
    throw new MalformedError('a number is cut off');
  }

  private byte(at: number): number {
    if (at < this.start || at >= this.start + this.window.length) {
      this.start = at;
      this.window = new Uint8Array(0);
      this.window = this.file.read(at, Math.min(this.file.byteLength, at + windowBytes), this.buffer);
    }
    return this.window[at - this.start]!;
  }
}

const isLarge = ({ content, end }: WireField): boolean => end - content >= minimalCut;
