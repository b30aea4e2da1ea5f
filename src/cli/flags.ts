import { type Command, Option } from 'commander';
import { PruneError } from '../errors.js';
import { InvalidValue, type Value } from './values.js';

/** One option of a command: how it is written, explained and read. */
export interface Flag<T> {
  /** As commander writes it: `--ratio <share>`. Undefined: only in a configuration file. */
  readonly flags: string | undefined;
  /** Heading it stands under in the help; `Options:` by default. */
  readonly group?: string;
  readonly help: string;
  readonly value: Value<T>;
  /** The form that switches it off, `--no-verify`, and what it then is. */
  readonly negated?: { readonly flags: string; readonly help: string; readonly value: T };
}

/** For options that only a program can give: functions, signals, runtimes. */
export const apiOnly = 'api-only';

/**
 * Every key of an options type with its flag. The type makes this complete: an option that no flag and no `apiOnly`
 * stands for doesn't compile, nor does a flag for an option that doesn't exist.
 */
export type Flags<Options> = {
  readonly [Key in keyof Options]-?: Flag<Exclude<Options[Key], undefined>> | typeof apiOnly;
};

type AnyFlags = Readonly<Record<string, Flag<never> | typeof apiOnly>>;

/** Options as they were given: a subset of the keys. */
export type Given<Options> = { -readonly [Key in keyof Options]?: Options[Key] };

/** Declares flags to commander and returns the reader of what was given, to be called in the action. */
export function addFlags<Options extends object>(
  command: Command,
  flags: Flags<Options>,
): () => Given<Options> {
  const attributes = new Map<string, string>();
  for (const [key, flag] of entries(flags as unknown as AnyFlags)) {
    if (flag.flags === undefined) continue;
    const option = optionOf(flag.flags, flag);
    attributes.set(key, option.attributeName());
    command.addOption(option);
    if (!flag.negated) continue;
    const negated = new Option(flag.negated.flags, flag.negated.help);
    if (flag.group) negated.helpGroup(flag.group);
    command.addOption(negated);
  }
  return () => {
    const values = command.opts<Record<string, unknown>>();
    const given: Record<string, unknown> = {};
    for (const [key, attribute] of attributes) {
      const value = values[attribute];
      if (value === undefined) continue;
      const flag = (flags as unknown as AnyFlags)[key] as Flag<unknown>;
      given[key] = value === false && flag.negated ? flag.negated.value : value;
    }
    return given as Given<Options>;
  };
}

function optionOf(text: string, flag: Flag<unknown>): Option {
  const option = new Option(text, flag.help);
  if (flag.group) option.helpGroup(flag.group);
  // A flag without an argument is true by itself.
  if (!option.required && !option.optional) return option;
  return option.argParser<unknown>((given, previous) =>
    complete(option.long!, given, () => flag.value.fromText(given, previous)),
  );
}

/**
 * The options of a configuration file's content.
 * @throws PruneError `invalid-option` naming a key that isn't known or whose value doesn't fit.
 */
export function readConfig<Options extends object>(
  content: Readonly<Record<string, unknown>>,
  flags: Flags<Options>,
  file: string,
): Given<Options> {
  const known = new Map(entries(flags as unknown as AnyFlags));
  const given: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(content)) {
    const flag = known.get(key);
    if (!flag) {
      throw new PruneError(
        'invalid-option',
        `unknown key '${key}' in '${file}'; use ${[...known.keys()].join(', ')}`,
      );
    }
    given[key] = complete(`'${key}' in '${file}'`, value, () => flag.value.fromJson(value));
  }
  return given as Given<Options>;
}

function entries(flags: AnyFlags): [string, Flag<unknown>][] {
  return Object.entries(flags).filter((entry): entry is [string, Flag<never>] => entry[1] !== apiOnly);
}

function complete(name: string, given: unknown, read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    const shown = typeof given === 'string' ? given : JSON.stringify(given);
    throw new PruneError('invalid-option', `invalid ${name}: ${shown}; ${error.message}`);
  }
}
