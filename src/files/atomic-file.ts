import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { access, lstat, open, realpath, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { PruneError, throwIfAborted } from '../errors.js';
import { blockBytes, MemoryBytes, type ByteSource } from '../onnx/bytes.js';
import { otherKind } from './whole-file.js';

/**
 * Throws if a file can't be written there, so that hours of work don't end in an error. Creates and opens nothing.
 * @throws PruneError `write` for a missing or read-only folder, a read-only file, and what is no regular file: a folder,
 *   a device, a pipe or a socket, also behind a symbolic link.
 */
export async function checkWritable(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  const target = await statOrUndefined(path);
  checkKind(path, target);
  const parent = await statOrUndefined(folder);
  if (!parent) throw cannotWrite(path, 'its folder does not exist', 'create the folder');
  if (!parent.isDirectory()) throw cannotWrite(path, 'its parent is no folder', 'choose another path');
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    if (target) await access(path, constants.W_OK);
  } catch (cause) {
    throw cannotWrite(path, 'permission denied', 'choose another path', cause);
  }
}

/** Writes a small file as `writeTogether` does. @throws PruneError `write` */
export async function writeAtomic(path: string, bytes: Uint8Array): Promise<void> {
  await writeTogether([{ path, parts: [new MemoryBytes(bytes)] }]);
}

export interface NewFile {
  readonly path: string;
  /** The content, one part after the other. Each is read once, block by block. */
  readonly parts: Iterable<ByteSource>;
}

/**
 * Writes files so that no path ever holds half of one: each to a temporary file in the same folder, and only when all
 * are complete and flushed they are renamed, in order. Whatever fails before removes them all; a process that is
 * killed leaves temporary files, named `.NAME.….tmp`. A symbolic link is written through.
 * @throws PruneError `write`, `aborted`, or what a part throws when it is read.
 */
export async function writeTogether(files: readonly NewFile[], signal?: AbortSignal): Promise<void> {
  const written: { readonly path: string; readonly temporary: string; readonly target: string }[] = [];
  let path = '';
  try {
    for (const next of files) {
      path = next.path;
      const target = await linkTarget(path);
      // Renamed over, a device would be gone.
      checkKind(path, await statOrUndefined(target));
      const temporary = join(dirname(target), `.${basename(target)}.${randomUUID().slice(0, 8)}.tmp`);
      const file = await open(temporary, 'wx');
      written.push({ path, temporary, target });
      try {
        await writeParts(file, next.parts, signal);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    for (const { temporary, target, ...own } of written) {
      path = own.path;
      await rename(temporary, target);
    }
    for (const folder of new Set(written.map(({ target }) => dirname(target)))) await syncFolder(folder);
  } catch (cause) {
    for (const { temporary } of written) await rm(temporary, { force: true });
    if (cause instanceof PruneError) throw cause;
    throw cannotWrite(
      path,
      cause instanceof Error ? cause.message : String(cause),
      'choose another path',
      cause,
    );
  }
}

/**
 * Bytes of one write, as `cp` has them: for larger ones Linux looks for large free pages in the page cache, which took
 * up to ten times as long as the copy itself where memory was in use before.
 */
const writeBytes = 2 ** 18;
/** Parts of fewer bytes are gathered in a block, larger ones have blocks of their own. */
const smallPart = 2 ** 16;

/** Two blocks at most: one is filled while the other is on its way to the disk. */
async function writeParts(
  file: FileHandle,
  parts: Iterable<ByteSource>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let position = 0;
  let pending: Promise<void> = Promise.resolve();
  let [block, other] = [new Uint8Array(0), new Uint8Array(0)];
  let filled = 0;
  const room = (): Uint8Array => (block.length === 0 ? (block = new Uint8Array(blockBytes)) : block);
  const send = async (bytes: Uint8Array): Promise<void> => {
    await pending;
    throwIfAborted(signal);
    pending = writeFully(file, bytes, position);
    // A failure is told at the next `await`; until then nobody listens.
    pending.catch(() => undefined);
    position += bytes.length;
    [block, other] = [other, block];
  };
  const flush = async (): Promise<void> => {
    if (filled > 0) await send(block.subarray(0, filled));
    filled = 0;
  };
  try {
    for (const part of parts) {
      const { byteLength } = part;
      if (byteLength < smallPart) {
        if (filled + byteLength > blockBytes) await flush();
        room().set(part.read(0, byteLength), filled);
        filled += byteLength;
        continue;
      }
      await flush();
      for (let from = 0; from < byteLength; from += blockBytes)
        await send(part.read(from, Math.min(byteLength, from + blockBytes), room()));
    }
    await flush();
  } finally {
    await pending;
  }
}

async function writeFully(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const length = Math.min(writeBytes, bytes.length - at);
    const { bytesWritten } = await file.write(bytes, at, length, position + at);
    at += bytesWritten;
  }
}

/** So that the new name outlives a power failure; not every system can. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // The files themselves are flushed.
  }
}

async function linkTarget(path: string): Promise<string> {
  const link = await lstat(path).catch(() => undefined);
  return link?.isSymbolicLink() ? realpath(path) : resolve(path);
}

function checkKind(path: string, found: Stats | undefined): void {
  const kind = found && otherKind(found);
  if (kind !== undefined) throw cannotWrite(path, `it is ${kind}`, 'name a file');
}

async function statOrUndefined(path: string) {
  return stat(path).catch(() => undefined);
}

function cannotWrite(path: string, why: string, remedy: string, cause?: unknown): PruneError {
  return new PruneError('write', `can't write '${path}': ${why}; ${remedy}`, { cause });
}
