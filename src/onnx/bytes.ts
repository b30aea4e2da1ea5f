/**
 * Bytes wherever they are: in memory, in a file, or computed from other bytes. Nothing is read before it is asked for,
 * and nobody has to hold all of it at once.
 */
export interface ByteSource {
  readonly byteLength: number;
  /**
   * The bytes `from … to`: a view where they lie in memory, else a copy, in the front of `scratch` if that is large
   * enough. It must not be written to, and holds as long as `scratch` isn't used again.
   */
  read(from: number, to: number, scratch?: Uint8Array): Uint8Array;
  /** Where they lie one after the other in a file, if they do: so that another thread can read them. */
  readonly file?: FilePlace | undefined;
}

/** A position in a file. */
export interface FilePlace {
  /** Absolute, with all links resolved. */
  readonly path: string;
  readonly offset: number;
}

/** Bytes that are copied at a time: large enough for a disk, few enough to stay small. */
export const blockBytes = 2 ** 22;

/** Bytes in memory. */
export class MemoryBytes implements ByteSource {
  constructor(private readonly view: Uint8Array) {}

  get byteLength(): number {
    return this.view.length;
  }

  read(from: number, to: number): Uint8Array {
    return from === 0 && to === this.view.length ? this.view : this.view.subarray(from, to);
  }
}

/** A part of other bytes. */
export function subrange(source: ByteSource, start: number, end: number): ByteSource {
  return {
    byteLength: end - start,
    file: source.file && { path: source.file.path, offset: source.file.offset + start },
    read: (from, to, scratch) => source.read(start + from, start + to, scratch),
  };
}

/** Bytes that are made all at once, each time they are asked for. */
export function computedBytes(byteLength: number, make: () => Uint8Array): ByteSource {
  return { byteLength, read: (from, to) => make().subarray(from, to) };
}

/** Room for `length` bytes: in `scratch` if it has that, else new. */
export function roomFor(length: number, scratch: Uint8Array | undefined): Uint8Array {
  if (!scratch || scratch.length < length) return new Uint8Array(length);
  return scratch.length === length ? scratch : scratch.subarray(0, length);
}

/** Copies all of a source to `target`, at most a block in between. */
export function copyAll(source: ByteSource, target: Uint8Array, at = 0): void {
  for (let from = 0; from < source.byteLength; from += blockBytes) {
    const to = Math.min(source.byteLength, from + blockBytes);
    const room = target.subarray(at + from, at + to);
    const bytes = source.read(from, to, room);
    if (bytes.buffer !== room.buffer || bytes.byteOffset !== room.byteOffset) room.set(bytes);
  }
}

const spare: Uint8Array[] = [];

/** Lends a block of memory for as long as `work` runs: new ones cost more than what is done with them. */
export function withScratch<T>(work: (scratch: Uint8Array) => T): T {
  const scratch = spare.pop() ?? new Uint8Array(blockBytes);
  try {
    return work(scratch);
  } finally {
    spare.push(scratch);
  }
}
