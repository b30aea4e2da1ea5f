import * as v from 'valibot';
import { PruneError } from '../errors.js';
import type { Options, OptionsOf, WithDefaults } from './option.js';
import { nameRemedy } from './values.js';

/** How options are called where they come from: `ratio` in a program, `--ratio` on the command line. */
export interface Source {
  /** What a name that isn't known is called. */
  readonly kind: string;
  readonly nameOf: (option: string) => string;
  /** Where it was, e.g. ` in 'config.json'`. */
  readonly where?: string;
}

export const program: Source = { kind: 'option', nameOf: (option) => option };

/**
 * The options of a table, as they were given.
 * @throws PruneError `invalid-option` naming the first option that isn't known, with the nearest name, or whose value
 *   doesn't fit, with what to give instead.
 */
export function validate<Table extends Options>(
  table: Table,
  given: unknown,
  source: Source = program,
): OptionsOf<Table> {
  if (typeof given !== 'object' || given === null)
    throw new PruneError('invalid-option', `invalid options: ${shown(given)}; use an object with options`);
  const names = Object.keys(table);
  const checked: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(table, name)) throw unknown(name, names, source);
    checked[name] = validateValue(table[name]!.schema, value, name, source);
  }
  const missing = names.find((name) => table[name]!.required && checked[name] === undefined);
  if (missing !== undefined)
    throw new PruneError(
      'invalid-option',
      `no ${source.nameOf(missing)}${source.where ?? ''}; it is required`,
    );
  return checked;
}

/** Without what is there but undefined, which must not win over a default. */
export function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as T;
}

/** What was given, and the defaults that a table has for the rest. */
export function withDefaults<Table extends Options>(
  table: Table,
  given: OptionsOf<Table>,
): WithDefaults<Table> {
  const defaults = Object.entries(table).flatMap(([name, option]) =>
    'default' in option ? [[name, option.default]] : [],
  );
  return { ...Object.fromEntries(defaults), ...defined(given) } as WithDefaults<Table>;
}

/**
 * One value of one option.
 * @param text as it was written, where that differs from the value
 * @throws PruneError `invalid-option`
 */
export function validateValue<Schema extends v.GenericSchema>(
  schema: Schema,
  value: unknown,
  name: string,
  source: Source = program,
  text?: string,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, value, { abortPipeEarly: true });
  if (result.success) return result.output;
  const issue = mostTelling(result.issues[0]);
  const path = (issue.path ?? []).map(({ key }) => String(key));
  if (text === undefined && isUnknownKey(issue)) {
    const [key, parent] = [path.at(-1)!, [name, ...path.slice(0, -1)].join('.')];
    throw new PruneError(
      'invalid-option',
      `unknown ${source.kind} '${key}' of ${source.nameOf(parent)}${source.where ?? ''}; ${issue.message}`,
    );
  }
  const called = source.nameOf(text === undefined ? [name, ...path].join('.') : name);
  throw new PruneError(
    'invalid-option',
    `invalid ${called}${source.where ?? ''}: ${text ?? shown(issue.input)}; ${issue.message}`,
  );
}

function unknown(name: string, names: readonly string[], { kind, where = '' }: Source): PruneError {
  return new PruneError('invalid-option', `unknown ${kind} '${name}'${where}; ${nameRemedy(name, names)}`);
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === 'strict_object' && issue.expected === 'never';
}

/** The issue of the form that the value comes closest to. */
function mostTelling(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  if (!issue.issues) return issue;
  const depth = ({ path }: v.BaseIssue<unknown>): number => path?.length ?? 0;
  const inner = issue.issues.map(mostTelling);
  const deepest = inner.reduce((a, b) => (depth(b) > depth(a) ? b : a));
  if (depth(deepest) > depth(issue)) return deepest;
  const sameKind = inner.find(({ type }) => type === 'picklist' && typeof issue.input === 'string');
  return sameKind ?? (issue.message.startsWith('use') ? issue : deepest);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'number' || value === undefined) return String(value);
  if (typeof value === 'function') return 'a function';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
