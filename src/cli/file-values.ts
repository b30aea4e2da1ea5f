import { readFileSync } from 'node:fs';
import type { Data, PruneSettings } from '../api.js';
import type { DataOptions } from '../data/options.js';
import { PruneError } from '../errors.js';
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
