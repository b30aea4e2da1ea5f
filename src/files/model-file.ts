import { open, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { PruneError } from '../errors.js';
import { decodeModel, encodeModel, maxModelBytes } from '../onnx/codec.js';
import type { Model } from '../onnx/model.js';
import { checkWritable, writeAtomic } from './atomic-file.js';
import { externalFiles } from './external-files.js';
import { layOutExternal } from './external-layout.js';

export { checkWritable };

/**
 * Reads an ONNX file. Weights stay views on its bytes; external data is read range by range when asked for.
 * @throws PruneError `invalid-file` for a missing, unreadable, truncated or foreign file; `unsafe-path` for external
 *   data outside the model's folder or past its file's end.
 */
export async function readModel(path: string): Promise<Model> {
  const bytes = await readWhole(path);
  return decodeModel(bytes, { name: `'${path}'`, external: externalFiles(dirname(resolve(path))) });
}

export interface WriteModelOptions {
  /** Default true; false throws `write` if the file exists. */
  readonly overwrite?: boolean;
}

export interface WrittenModel {
  /** Bytes of the ONNX file. */
  readonly bytes: number;
  /** The external data written with it: the file's path and bytes. */
  readonly data?: { readonly path: string; readonly bytes: number };
}

/**
 * Writes an ONNX file atomically, and the same bytes for the same model. Tensors that were external stay external,
 * in one new file beside it; so do all large tensors of a model that protobuf can't hold. The data file is written
 * first, and never over the one that is being read.
 * @throws PruneError `write` if a file can't be written.
 */
export async function writeModel(
  model: Model,
  path: string,
  options: WriteModelOptions = {},
): Promise<WrittenModel> {
  await checkWritable(path);
  if (options.overwrite === false && (await exists(path)))
    throw new PruneError('write', `'${path}' exists; allow overwriting or choose another path`);
  const layout = layOutExternal(model, basename(path));
  if (!layout) {
    const bytes = encodeModel(model);
    await writeAtomic(path, [bytes]);
    return { bytes: bytes.length };
  }
  const dataPath = join(dirname(path), layout.location);
  await checkWritable(dataPath);
  const bytes = encodeModel(model, { external: layout.entries });
  await writeAtomic(dataPath, layout.chunks());
  await writeAtomic(path, [bytes]);
  return { bytes: bytes.length, data: { path: dataPath, bytes: layout.byteLength } };
}

async function readWhole(path: string): Promise<Uint8Array> {
  try {
    // Before opening: that would block on a pipe.
    const found = await stat(path);
    if (!found.isFile()) {
      const what = found.isDirectory() ? 'a folder' : 'no file';
      throw new PruneError('invalid-file', `'${path}' is ${what}; name an onnx file`);
    }
    if (found.size > maxModelBytes) {
      const message = `'${path}' has more than 2 GiB, no onnx file can; use external data`;
      throw new PruneError('invalid-file', message);
    }
    return await readBytes(path, found.size);
  } catch (cause) {
    if (cause instanceof PruneError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'does not exist; check the path',
      EACCES: "can't be read: permission denied; change its permissions",
    };
    const reason = reasons[code ?? ''] ?? `can't be read: ${message}; check the path`;
    throw new PruneError('invalid-file', `'${path}' ${reason}`, { cause });
  }
}

/** Not `readFile`: that gives a Buffer, and reads in small pieces. */
async function readBytes(path: string, size: number): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const bytes = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      const { bytesRead } = await file.read(bytes, at, size - at, at);
      if (bytesRead === 0) break;
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  } finally {
    await file.close();
  }
}

async function exists(path: string): Promise<boolean> {
  return open(path, 'r').then(
    (file) => file.close().then(() => true),
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}
