import type { Option } from './option.js';
import { pruneOptions } from './prune.js';

type ProgramOnly<Table> = {
  [Name in keyof Table]: Table[Name] extends { readonly help: string } ? never : Name;
}[keyof Table];

/** What a configuration file can hold: every option of `prune` that JSON can say. */
export const configOptions = Object.fromEntries(
  Object.entries<Option>(pruneOptions).filter(([, { help }]) => help !== undefined),
) as unknown as Omit<typeof pruneOptions, ProgramOnly<typeof pruneOptions>>;
