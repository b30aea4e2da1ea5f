import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, lstat, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { PruneError } from '../errors.js';

/**
 * Throws if a file can't be written there, so that hours of work don't end in an error. Creates nothing.
 * @throws PruneError `write` for a missing or read-only folder, a folder as the target, a read-only file.
 */
export async function checkWritable(path: string): Promise<void> {
  const folder = dirname(resolve(path));
  const target = await statOrUndefined(path);
  if (target?.isDirectory()) throw cannotWrite(path, 'it is a folder', 'name a file');
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

/**
 * Writes a file so that its path never holds half of it: to a temporary file in the same folder, which is flushed
 * and renamed, or removed if anything fails. A symbolic link is written through.
 * @throws PruneError `write`
 */
export async function writeAtomic(path: string, chunks: Iterable<Uint8Array>): Promise<void> {
  let temporary: string | undefined;
  try {
    const target = await linkTarget(path);
    temporary = join(dirname(target), `.${basename(target)}.${randomUUID().slice(0, 8)}.tmp`);
    const file = await open(temporary, 'wx');
    try {
      for (const chunk of chunks) await writeFully(file, chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (cause) {
    if (temporary) await rm(temporary, { force: true });
    if (cause instanceof PruneError) throw cause;
    throw cannotWrite(
      path,
      cause instanceof Error ? cause.message : String(cause),
      'choose another path',
      cause,
    );
  }
}

async function writeFully(file: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
  // One write takes less than 2 GiB on some systems.
  for (let at = 0; at < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, at, Math.min(chunk.length - at, 2 ** 30));
    at += bytesWritten;
  }
}

async function linkTarget(path: string): Promise<string> {
  const link = await lstat(path).catch(() => undefined);
  return link?.isSymbolicLink() ? realpath(path) : resolve(path);
}

async function statOrUndefined(path: string) {
  return stat(path).catch(() => undefined);
}

function cannotWrite(path: string, why: string, remedy: string, cause?: unknown): PruneError {
  return new PruneError('write', `can't write '${path}': ${why}; ${remedy}`, { cause });
}
