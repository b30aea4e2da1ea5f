import { realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';

import { PruneError } from '../errors.js';
import type { ExternalRange, ExternalReader } from '../onnx/external.js';
import { FileBytes } from './file-bytes.js';

/**
 * Reads external data below the model's folder only: a model is data from elsewhere, and must not be able to
 * make us read other files.
 */
export function externalFiles(folder: string): ExternalReader {
  const root = realpathSync(folder);
  const files = new Map<string, FileBytes>();

  const resolve = ({ location, offset, length }: ExternalRange): FileBytes => {
    let file = files.get(location);
    if (!file) files.set(location, (file = locate(root, location)));
    const { byteLength } = file;
    if (offset + length > byteLength)
      throw new PruneError(
        'unsafe-path',
        `external data '${location}' has ${byteLength} bytes, but bytes ${offset} to ${offset + length} are asked for; ` +
          'restore the file that was exported with the model',
      );
    return file;
  };
  return {
    place: (range) => ({ path: resolve(range).file.path, offset: range.offset }),
    check: (range) => void resolve(range),
    read: (range, scratch) => resolve(range).read(range.offset, range.offset + range.length, scratch),
  };
}

function locate(root: string, location: string): FileBytes {
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
  if (!statSync(path).isFile())
    throw new PruneError('unsafe-path', `external data '${location}' is no file; remove it`);
  return new FileBytes(path, `external data '${location}'`);
}
