import { realpath, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { PruneError } from '../errors.js';
import { decodeModel, decodeModelFile, encodeModelParts, maxModelBytes } from '../onnx/codec.js';
import type { Model } from '../onnx/model.js';
import { checkWritable, writeTogether } from './atomic-file.js';
import { externalFiles } from './external-files.js';
import { dataFilesOf, isDataFileName, layOutExternal, type ExternalDataMode } from './external-layout.js';
import { FileBytes } from './file-bytes.js';
import { otherKind } from './whole-file.js';

export { checkWritable };
export type { ExternalDataMode };

/** Larger files aren't read whole: their weights are read range by range, as external data is. */
const maxHeldBytes = 2 ** 26;

/**
 * Reads an ONNX file. Weights of a small one stay views on its bytes. Those of a file of more than 64 MiB, and external
 * data, are read range by range when they are asked for; the files must not change as long as the model is in use.
 * @throws PruneError `invalid-file` for a missing, unreadable, truncated or foreign file; `unsafe-path` for external
 *   data outside the model's folder or past its file's end.
 */
export async function readModel(path: string, heldBytes = maxHeldBytes): Promise<Model> {
  const file = await openFile(path);
  const options = { name: `'${path}'`, external: externalFiles(dirname(resolve(path))) };
  return file.byteLength <= heldBytes
    ? decodeModel(file.read(0, file.byteLength), options)
    : decodeModelFile(file, options);
}

export interface WriteModelOptions {
  /** Default true; false throws `write` if the file exists. */
  readonly overwrite?: boolean;
  /**
   * Where the weights go. Default `auto`: external data stays external, and a model of more than 2 GiB, which protobuf
   * can't hold, gets it; `always` and `never` say so for all.
   */
  readonly externalData?: ExternalDataMode | undefined;
  /** Aborts between blocks; nothing is left then. */
  readonly signal?: AbortSignal | undefined;
}

export interface WrittenModel {
  /** Bytes of the ONNX file. */
  readonly bytes: number;
  /** The external data written with it: the file's path and bytes. */
  readonly data?: { readonly path: string; readonly bytes: number };
}

/**
 * Writes an ONNX file block by block, and the same bytes for the same model. Model and data file are put in place
 * together, when both are complete: whatever happens before leaves the old ones as they were, and so the data of an
 * existing model is never written over but removed when the new model stands.
 * @throws PruneError `write` if a file can't be written; `unsupported` for more than 2 GiB without external data.
 */
export async function writeModel(
  model: Model,
  path: string,
  options: WriteModelOptions = {},
): Promise<WrittenModel> {
  const { overwrite = true, externalData, signal } = options;
  await checkWritable(path);
  if (!overwrite && (await exists(path)))
    throw new PruneError('write', `'${path}' exists; allow overwriting or choose another path`);
  const name = basename(path);
  const old = await dataOf(path);
  const layout = layOutExternal(model, name, { ...(externalData && { mode: externalData }), taken: old });
  const parts = encodeModelParts(model, layout && { external: layout.entries });
  const bytes = parts.reduce((total, { byteLength }) => total + byteLength, 0);
  const dataPath = layout && join(dirname(path), layout.location);
  if (dataPath) await checkWritable(dataPath);
  await writeTogether(
    [...(dataPath ? [{ path: dataPath, parts: layout.parts }] : []), { path, parts }],
    signal,
  );
  const source = dataFilesOf(model);
  for (const location of old)
    if (isDataFileName(location, name) && !source.has(location))
      await rm(join(dirname(path), location), { force: true });
  return { bytes, ...(dataPath && { data: { path: dataPath, bytes: layout.byteLength } }) };
}

/** Names of the data files of the model that a path holds already. */
async function dataOf(path: string): Promise<Set<string>> {
  if (!(await exists(path))) return new Set();
  try {
    return dataFilesOf(decodeModelFile(await openFile(path)));
  } catch {
    // No model of ours, so it has none.
    return new Set();
  }
}

async function openFile(path: string): Promise<FileBytes> {
  try {
    // Before opening: that would block on a pipe.
    const found = await stat(path);
    const kind = otherKind(found);
    if (kind !== undefined) throw new PruneError('invalid-file', `'${path}' is ${kind}; name an onnx file`);
    if (found.size > maxModelBytes) {
      const message = `'${path}' has more than 2 GiB, no onnx file can; use external data`;
      throw new PruneError('invalid-file', message);
    }
    return new FileBytes(await realpath(path), `'${path}'`);
  } catch (cause) {
    if (cause instanceof PruneError && !isDenied(cause)) throw cause;
    const { code, message } = (cause instanceof PruneError ? cause.cause : cause) as NodeJS.ErrnoException;
    const reasons: Readonly<Record<string, string>> = {
      ENOENT: 'does not exist; check the path',
      EACCES: "can't be read: permission denied; change its permissions",
    };
    const reason = reasons[code ?? ''] ?? `can't be read: ${message}; check the path`;
    throw new PruneError('invalid-file', `'${path}' ${reason}`, { cause });
  }
}

const isDenied = ({ cause }: PruneError): boolean =>
  (cause as NodeJS.ErrnoException | undefined)?.code === 'EACCES';

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}
