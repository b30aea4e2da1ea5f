import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

import { PruneError } from '../errors.js';
import { roomFor, type ByteSource, type FilePlace } from '../onnx/bytes.js';

/** No link is followed where the path was resolved before, and no pipe is waited for. */
const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

/**
 * A file, read range by range. It has to stay what it was: one that was replaced or written to since is an error, not
 * other numbers. What goes wrong is a PruneError `invalid-file`.
 */
export class FileBytes implements ByteSource {
  readonly byteLength: number;
  readonly file: FilePlace;
  private readonly identity: string;

  /** @throws PruneError `invalid-file`, also if the path is a link or names no file. */
  constructor(
    /** Absolute, with all links resolved. */
    private readonly path: string,
    /** What error messages call it: `external data 'weights.bin'`. */
    private readonly label: string,
  ) {
    const stats = this.withOpen((descriptor) => fstatSync(descriptor));
    // A device or a pipe has no size, and reading it may never end.
    if (!stats.isFile()) throw this.unreadable('it is no file');
    this.byteLength = stats.size;
    this.file = { path, offset: 0 };
    this.identity = identityOf(stats);
  }

  /** The file is open no longer than this takes: read much at a time. */
  read(from: number, to: number, scratch?: Uint8Array): Uint8Array {
    const out = roomFor(to - from, scratch);
    return this.withOpen((descriptor) => {
      if (identityOf(fstatSync(descriptor)) !== this.identity)
        throw new Error('it has changed since the model was read');
      for (let at = 0; at < out.length;) {
        // One read takes less than 2 GiB.
        const count = readSync(descriptor, out, at, Math.min(out.length - at, 2 ** 30), from + at);
        if (count === 0) throw new Error('it has become shorter');
        at += count;
      }
      return out;
    });
  }

  private withOpen<T>(work: (descriptor: number) => T): T {
    try {
      const descriptor = openSync(this.path, flags);
      try {
        return work(descriptor);
      } finally {
        closeSync(descriptor);
      }
    } catch (cause) {
      throw this.unreadable(cause instanceof Error ? cause.message : String(cause), cause);
    }
  }

  private unreadable(reason: string, cause?: unknown): PruneError {
    const message = `can't read ${this.label}: ${reason}; check the file`;
    return new PruneError('invalid-file', message, { cause });
  }
}

const identityOf = ({ dev, ino, size, mtimeMs }: Stats): string => `${dev}:${ino}:${size}:${mtimeMs}`;
