import { type Command, Option as Flag } from 'commander';
import type { Option, Options, OptionsOf } from '../options/option.js';
import { validateValue, type Source } from '../options/validate.js';
import { readText } from './read-text.js';

/** How the text of single options is read where that takes more than their schema: by a file's content, for example. */
export type Readers = Readonly<Record<string, (text: string) => unknown>>;

/**
 * Declares the flags of a table to commander.
 * @returns the reader of what was given, to be called in the action
 */
export function addFlags<Table extends Options>(
  command: Command,
  table: Table,
  readers: Readers = {},
): () => OptionsOf<Table> {
  const attributes = new Map<string, string>();
  for (const [name, option] of Object.entries(table)) {
    if (option.flag === undefined) continue;
    const flag = flagOf(option.flag, option, readers[name] ?? option.fromText);
    attributes.set(name, flag.attributeName());
    command.addOption(flag);
    if (option.off) command.addOption(new Flag(option.off.flag, option.off.help).helpGroup(groupOf(option)));
  }
  return () => {
    const values = command.opts<Record<string, unknown>>();
    const given: Record<string, unknown> = {};
    for (const [name, attribute] of attributes) {
      const value = values[attribute];
      const { off } = table[name]!;
      if (value !== undefined) given[name] = value === false && off ? off.value : value;
    }
    return given;
  };
}

/** A table without some of its options. */
export function without<Table extends Options, Name extends keyof Table>(
  table: Table,
  names: readonly Name[],
): Omit<Table, Name> {
  const left = Object.entries(table).filter(([name]) => !names.includes(name as unknown as Name));
  return Object.fromEntries(left) as Omit<Table, Name>;
}

function flagOf(written: string, option: Option, fromText: ((text: string) => unknown) | undefined): Flag {
  const flag = new Flag(written, helpOf(option)).helpGroup(groupOf(option));
  // A flag without an argument is true by itself.
  if (!flag.required && !flag.optional) return flag;
  const source: Source = { kind: 'option', nameOf: () => flag.long! };
  const placeholder = /[<[](.*)[\]>]/.exec(written)![1]!;
  return flag.argParser<unknown>((text, previous) => {
    const value = fromText
      ? fromText(text)
      : readText(option.schema, text, previous, { flag: flag.long!, placeholder });
    return validateValue(option.schema, value, '', source, text);
  });
}

/** The help with the default, unless that is nothing. */
function helpOf({ help = '', default: value, otherwise }: Option): string {
  if (otherwise !== undefined) return `${help} (default: ${otherwise})`;
  if (value === true) return `${help} (default)`;
  return typeof value === 'string' || typeof value === 'number' ? `${help} (default: ${value})` : help;
}

function groupOf({ group = 'Options:' }: Option): string {
  return group;
}
