import * as v from 'valibot';
import { data } from '../options/data.js';
import type { Options } from '../options/option.js';
import { text, toggle } from '../options/values.js';

/** What several commands have besides the options of the library. */

/** Prints nothing but errors. */
export const quiet = { schema: toggle, flag: '-q, --quiet', help: 'print nothing but errors' } as const;

/** Writes the result as JSON; true stands for stdout. */
export function json<Group extends string>(what: string, group?: Group) {
  return {
    schema: v.union([text, v.literal(true)]),
    flag: '--json [file]',
    help: `write ${what} as JSON; without a file to stdout, in place of the table`,
    ...(group && { group }),
  } as const;
}

/** What pruned models are judged on. */
export const evalData = {
  schema: data,
  flag: '--eval-data <path>',
  group: 'Data:',
} as const satisfies Options[string];
