import { readFileSync } from 'node:fs';
import { PruneError } from '../errors.js';

/** @throws PruneError `invalid-file` */
export function readJson(path: string): unknown {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    const remedy = code === 'ENOENT' ? 'check the path' : 'name a readable file';
    throw new PruneError('invalid-file', `can't read '${path}' (${code}); ${remedy}`, { cause });
  }
  try {
    return JSON.parse(content);
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0]!;
    throw new PruneError('invalid-file', `'${path}' is not json: ${reason}; correct the file`, { cause });
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
