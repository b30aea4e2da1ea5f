import { realpathSync, statSync, type Stats } from 'node:fs';
import { PruneError, type PruneErrorCode } from '../errors.js';
import { FileBytes } from './file-bytes.js';

/** What a path names instead of a regular file, in words; undefined for a regular file. */
export function otherKind(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}

/** How a file is read, and what is thrown where it can't be. */
export interface WholeFileOptions {
  readonly code: PruneErrorCode;
  readonly maxBytes: number;
  /** What the message calls the file: `data`. Default: nothing but its path. */
  readonly label?: string;
  /** What the message says to do. Default `name a readable file`. */
  readonly remedy?: string;
}

/**
 * Reads a regular file, maybe through symbolic links. Nothing else is opened: a pipe would be waited for, and a device
 * may have no end.
 * @throws PruneError `code` for what is no file, is not readable or has more than `maxBytes`.
 */
export function readWholeFile(path: string, options: WholeFileOptions): Uint8Array {
  const { code, maxBytes, label, remedy = 'name a readable file' } = options;
  const name = label === undefined ? `'${path}'` : `${label} '${path}'`;
  const fail = (why: string, what = remedy, cause?: unknown): never => {
    throw new PruneError(code, `can't read ${name} ${why}; ${what}`, { cause });
  };
  try {
    const stats = statSync(path);
    const kind = otherKind(stats);
    if (kind !== undefined) fail(`(it is ${kind})`);
    if (stats.size > maxBytes) fail(`(it has ${stats.size} bytes, and ${maxBytes} is the limit)`);
    return new FileBytes(realpathSync(path), `'${path}'`).read(0, stats.size);
  } catch (cause) {
    if (cause instanceof PruneError && cause.code === code && !cause.cause) throw cause;
    const error = (cause instanceof PruneError ? cause.cause : cause) as NodeJS.ErrnoException | undefined;
    return fail(
      `(${error?.code ?? error?.message ?? 'unknown error'})`,
      error?.code === 'ENOENT' ? 'check the path' : remedy,
      cause,
    );
  }
}
