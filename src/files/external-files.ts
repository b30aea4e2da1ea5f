import { closeSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';

import { PruneError } from '../errors.js';
import type { ExternalRange, ExternalReader } from '../onnx/external.js';

/**
 * Reads external data below the model's folder only: a model is data from elsewhere, and must not be able to
 * make us read other files.
 */
export function externalFiles(folder: string): ExternalReader {
  const root = realpathSync(folder);
  const sizes = new Map<string, { readonly path: string; readonly size: number }>();

  const resolve = ({ location, offset, length }: ExternalRange): string => {
    let file = sizes.get(location);
    if (!file) sizes.set(location, (file = locate(root, location)));
    if (offset + length > file.size)
      throw new PruneError(
        'unsafe-path',
        `external data '${location}' has ${file.size} bytes, but bytes ${offset} to ${offset + length} are asked for; ` +
          'restore the file that was exported with the model',
      );
    return file.path;
  };
  return {
    check: (range) => void resolve(range),
    read: (range) => readRange(resolve(range), range),
  };
}

function locate(root: string, location: string): { path: string; size: number } {
  const unsafe = (why: string): PruneError =>
    new PruneError('unsafe-path', `external data '${location}' ${why}; move it next to the model`);
  const parts = location.split(/[/\\]/);
  if (isAbsolute(location) || /^[A-Za-z]:/.test(location) || parts[0] === '')
    throw unsafe('is an absolute path');
  if (parts.includes('..') || location.includes('\0')) throw unsafe("leaves the model's folder");
  let path: string;
  try {
    path = realpathSync(join(root, location));
  } catch (cause) {
    const message = `external data '${location}' is missing; put it next to the model`;
    throw new PruneError('invalid-file', message, { cause });
  }
  const inside = relative(root, path);
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside))
    throw unsafe("is a link that leaves the model's folder");
  const stat = statSync(path);
  // A device or a pipe has no size, and reading it may never end.
  if (!stat.isFile())
    throw new PruneError('unsafe-path', `external data '${location}' is no file; remove it`);
  return { path, size: stat.size };
}

function readRange(path: string, { location, offset, length }: ExternalRange): Uint8Array {
  const bytes = new Uint8Array(length);
  try {
    const file = openSync(path, 'r');
    try {
      for (let at = 0; at < length;) {
        const count = readSync(file, bytes, at, Math.min(length - at, 2 ** 30), offset + at);
        if (count === 0) throw new Error('the file has become shorter');
        at += count;
      }
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `can't read external data '${location}': ${reason}; check that it is readable`;
    throw new PruneError('invalid-file', message, { cause });
  }
  return bytes;
}
