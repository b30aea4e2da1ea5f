import type { Data, PruneSettings } from '../api.js';
import type { DataOptions } from '../data/options.js';
import { PruneError } from '../errors.js';
import { readWholeFile } from '../files/whole-file.js';
import { entriesOf, InvalidValue, isRecord, type Value } from './values.js';

/** A JSON file by its path; a configuration file may hold the content itself. */
export const jsonFile: Value<unknown> = {
  fromText: (path) => readJson(path),
  fromJson: (value) => (typeof value === 'string' ? readJson(value) : value),
};

/** `macs=50%`; limits are read when the dense costs are known, but their form is checked here. */
export const budget: Value<NonNullable<PruneSettings['budget']>> = entriesOf<number | string>(
  {
    fromText: limit,
    fromJson: (value) => {
      if (typeof value !== 'string' && typeof value !== 'number') throw new InvalidValue(limitRemedy);
      return limit(String(value));
    },
  },
  'macs=50%, params=1.2M, bytes=20MB or latency=3ms',
);

const limitRemedy = "use a share ('50%', 0.5) or a number ('300M', 3e8, '3ms')";

function limit(text: string): string {
  if (!/^\+?(\d+(\.\d*)?|\.\d+)(e\d+)?(%|[kmu]?s|[kmgt]?b?)$/i.test(text))
    throw new InvalidValue(limitRemedy);
  return text;
}

/** A path or `random`; in a configuration file also an object with `path` and how to read it. */
export const dataSource: Value<Data> = {
  fromText: (path) => path,
  fromJson: (value) => {
    if (typeof value === 'string') return value;
    if (isRecord(value) && typeof value['path'] === 'string') return value as unknown as DataOptions;
    throw new InvalidValue("use a path, or an object with 'path' and data options");
  },
};

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

/** Lists and objects around the innermost one of a JSON text. */
function depthOf(json: string): number {
  let [depth, deepest] = [0, 0];
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++depth);
    else if (token === ']' || token === '}') depth--;
  }
  return deepest;
}
