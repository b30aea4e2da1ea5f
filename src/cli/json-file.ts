import { PruneError } from '../errors.js';
import { readWholeFile } from '../files/whole-file.js';

/** More than a plan of any model that fits in memory. */
const maxBytes = 2 ** 28;
/** A plan or a configuration needs a few levels; what walks over a deep one would run out of stack. */
const maxDepth = 100;

/** @throws PruneError `invalid-file`, also for what is no regular file, or is nested deeply */
export function readJson(path: string): unknown {
  const content = new TextDecoder().decode(readWholeFile(path, { code: 'invalid-file', maxBytes }));
  if (depthOf(content) > maxDepth)
    throw new PruneError(
      'invalid-file',
      `'${path}' is nested more than ${maxDepth} levels deep; correct the file`,
    );
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

/** Lists and objects around the innermost one of a JSON text. */
function depthOf(json: string): number {
  let [depth, deepest] = [0, 0];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth);
    else if (token === ']' || token === '}') depth--;
  }
  return deepest;
}
