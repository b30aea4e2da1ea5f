import { blockBytes, roomFor, withScratch, type ByteSource } from './bytes.js';

/**
 * The elements that are left of a tensor when only some indices of some axes are kept, block by block.
 *
 * Seen from the innermost cut axis the result is a list of rows, all cut alike: everything inside that axis is
 * contiguous, and so are runs of neighbouring indices on it. Long runs are copied as blocks, straight from a file to
 * where they belong; short ones are gathered word by word through a list of the kept words of a row. As indices ascend
 * the source is read forwards, through one window.
 */
export class SlicedBytes implements ByteSource {
  readonly dims: readonly number[];
  readonly byteLength: number;
  /** Bytes of a row in the source, and of what is kept of it. */
  private readonly rowBytes: number;
  private readonly keptBytes: number;
  /** Begin of each run in the source's row, and in the kept one (with its end after the last). */
  private readonly starts: Float64Array;
  private readonly ends: Float64Array;
  /** Kept indices of the axes outside the rows; undefined where all are. */
  private readonly outer: readonly { readonly size: number; readonly kept: Int32Array | undefined }[];
  private readonly wordBytes: 1 | 2 | 4;
  /** Kept words of a row, where runs are so short that copying them as blocks would be slower. */
  private words: Int32Array | undefined;

  constructor(
    private readonly source: ByteSource,
    dims: readonly number[],
    elementBytes: number,
    /** Ascending indices by axis; at least one axis. */
    cut: ReadonlyMap<number, Int32Array>,
    private readonly window = blockBytes,
  ) {
    this.dims = dims.map((size, axis) => cut.get(axis)?.length ?? size);
    this.byteLength = product(this.dims) * elementBytes;
    const inner = Math.max(...cut.keys());
    const stride = product(dims.slice(inner + 1)) * elementBytes;
    const indices = cut.get(inner)!;
    this.rowBytes = dims[inner]! * stride;
    this.keptBytes = indices.length * stride;
    this.outer = dims.slice(0, inner).map((size, axis) => ({ size, kept: cut.get(axis) }));
    this.wordBytes = elementBytes >= 4 ? 4 : elementBytes === 2 ? 2 : 1;
    [this.starts, this.ends] = runsOf(indices, stride);
    const isShort =
      this.keptBytes / this.starts.length < shortRun && this.rowBytes / this.wordBytes < 2 ** 31;
    if (isShort && this.keptBytes > 0) this.words = wordsOf(indices, stride / this.wordBytes);
  }

  read(from: number, to: number, scratch?: Uint8Array): Uint8Array {
    const { wordBytes, words } = this;
    const out = roomFor(to - from, scratch);
    if (to <= from) return out;
    if (!words) withScratch((buffer) => this.copyRuns(from, to, out, this.reader(buffer, to)));
    else if (from % wordBytes === 0 && to % wordBytes === 0 && out.byteOffset % wordBytes === 0)
      withScratch((buffer) => this.gather(from, out, words, this.reader(buffer, to)));
    else {
      // Somebody asks for half a word, or has no place for whole ones.
      const begin = from - (from % wordBytes);
      const aligned = new Uint8Array(Math.ceil((to - begin) / wordBytes) * wordBytes);
      withScratch((buffer) => this.gather(begin, aligned, words, this.reader(buffer, to)));
      out.set(aligned.subarray(from - begin, to - begin));
    }
    return out;
  }

  /** Where a row of the result begins in the source, in bytes. */
  private rowStart(row: number): number {
    let rest = row;
    let start = 0;
    let stride = this.rowBytes;
    for (let axis = this.outer.length - 1; axis >= 0; axis--) {
      const { size, kept } = this.outer[axis]!;
      const count = kept?.length ?? size;
      const at = rest % count;
      rest = Math.floor(rest / count);
      start += (kept ? kept[at]! : at) * stride;
      stride *= size;
    }
    return start;
  }

  private reader(buffer: Uint8Array, to: number): SourceWindow {
    // Nothing is read behind the last byte that is wanted.
    const row = Math.floor((to - 1) / this.keptBytes);
    const last = to - 1 - row * this.keptBytes;
    const run = this.runAt(last);
    const offset = this.starts[run]! + last - (run > 0 ? this.ends[run - 1]! : 0);
    const end = this.rowStart(row) + offset + 1;
    const limit = Math.min(this.source.byteLength, Math.ceil(end / this.wordBytes) * this.wordBytes);
    return new SourceWindow(this.source, limit, buffer.subarray(0, this.window));
  }

  /** The run that holds a byte of the kept row. */
  private runAt(at: number): number {
    let low = 0;
    let high = this.ends.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[middle]! > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private copyRuns(from: number, to: number, out: Uint8Array, source: SourceWindow): void {
    const { starts, ends, keptBytes } = this;
    let row = Math.floor(from / keptBytes);
    let at = from - row * keptBytes;
    let run = this.runAt(at);
    let base = this.rowStart(row);
    for (let written = 0; written < out.length;) {
      const offset = at - (run > 0 ? ends[run - 1]! : 0);
      const length = Math.min(ends[run]! - at, out.length - written);
      source.copy(base + starts[run]! + offset, length, out, written);
      written += length;
      at += length;
      if (at < ends[run]!) break;
      if (++run < ends.length) continue;
      run = 0;
      at = 0;
      if (written < out.length) base = this.rowStart(++row);
    }
  }

  private gather(from: number, out: Uint8Array, words: Int32Array, source: SourceWindow): void {
    const { wordBytes } = this;
    const to = wordsIn(out, wordBytes);
    let row = Math.floor(from / this.keptBytes);
    let k = (from - row * this.keptBytes) / wordBytes;
    const longest = this.window / wordBytes;
    for (let written = 0; written < to.length;) {
      const base = this.rowStart(row);
      let count = Math.min(words.length - k, to.length - written);
      // As many as one window holds.
      while (count > 1 && words[k + count - 1]! - words[k]! >= longest) count = Math.ceil(count / 2);
      const first = words[k]!;
      const span = (words[k + count - 1]! - first + 1) * wordBytes;
      const { array, at } = source.words(base + first * wordBytes, span, wordBytes);
      gatherWords(array, at - first, words, k, k + count, to, written);
      written += count;
      k += count;
      if (k < words.length) continue;
      k = 0;
      row++;
    }
  }
}

type WordArray = Uint8Array | Uint16Array | Uint32Array;
type WordType = new (buffer: ArrayBufferLike, offset: number, length: number) => WordArray;

/** By itself, so that the engine compiles nothing else with it. */
function gatherWords(
  from: WordArray,
  shift: number,
  words: Int32Array,
  first: number,
  end: number,
  to: WordArray,
  at: number,
): void {
  for (let i = first, out = at; i < end; i++, out++) to[out] = from[shift + words[i]!]!;
}

/** Runs of fewer bytes on average are gathered. */
const shortRun = 128;
/** Runs of more bytes are read on their own, past the window. */
const longRun = 2 ** 20;

/** A part of the source that moves forwards. */
class SourceWindow {
  private start = 0;
  private bytes: Uint8Array = new Uint8Array(0);
  private asWords: WordArray | undefined;

  constructor(
    private readonly source: ByteSource,
    /** Nothing behind this is read. */
    private readonly limit: number,
    private readonly buffer: Uint8Array,
  ) {}

  copy(from: number, length: number, out: Uint8Array, at: number): void {
    if (length > longRun || length > this.buffer.length) {
      const room = out.subarray(at, at + length);
      const bytes = this.source.read(from, from + length, room);
      if (bytes.buffer !== room.buffer || bytes.byteOffset !== room.byteOffset) room.set(bytes);
      return;
    }
    this.moveTo(from, length);
    const begin = from - this.start;
    out.set(this.bytes.subarray(begin, begin + length), at);
  }

  /** The words from a byte on, as an array and where they begin in it. */
  words(from: number, length: number, wordBytes: 1 | 2 | 4): { array: WordArray; at: number } {
    this.moveTo(from, length);
    if (!this.asWords) {
      // Weights of a file lie anywhere.
      const isAligned = this.bytes.byteOffset % wordBytes === 0;
      if (!isAligned) this.buffer.set(this.bytes);
      this.asWords = wordsIn(isAligned ? this.bytes : this.buffer.subarray(0, this.bytes.length), wordBytes);
    }
    return { array: this.asWords, at: (from - this.start) / wordBytes };
  }

  private moveTo(from: number, length: number): void {
    if (from >= this.start && from + length <= this.start + this.bytes.length) return;
    this.start = from;
    const end = Math.max(from + length, Math.min(this.limit, from + this.buffer.length));
    this.bytes = this.source.read(from, end, this.buffer);
    this.asWords = undefined;
  }
}

function wordsIn(bytes: Uint8Array, wordBytes: 1 | 2 | 4): WordArray {
  if (wordBytes === 1) return bytes;
  const type: WordType = wordBytes === 2 ? Uint16Array : Uint32Array;
  return new type(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / wordBytes));
}

/** Runs of neighbouring indices: where each begins in the source's row, and where it ends in the kept one. */
function runsOf(indices: Int32Array, stride: number): [starts: Float64Array, ends: Float64Array] {
  const starts: number[] = [];
  const ends: number[] = [];
  for (let i = 0; i < indices.length;) {
    let end = i + 1;
    while (end < indices.length && indices[end] === indices[end - 1]! + 1) end++;
    starts.push(indices[i]! * stride);
    ends.push(end * stride);
    i = end;
  }
  return [Float64Array.from(starts), Float64Array.from(ends)];
}

function wordsOf(indices: Int32Array, stride: number): Int32Array {
  if (stride === 1) return indices;
  const out = new Int32Array(indices.length * stride);
  for (let i = 0, at = 0; i < indices.length; i++)
    for (let k = 0; k < stride; k++) out[at++] = indices[i]! * stride + k;
  return out;
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((a, b) => a * b, 1);
}
