import * as v from 'valibot';
import { nearest } from './nearest.js';
import type { Options, OptionsOf } from './option.js';

/** The kinds of values that options have. The message of each says what to give instead. */

const ratioRemedy = 'use a number in [0, 1)';

/** A share that is never the whole. */
export const ratio = v.pipe(v.number(ratioRemedy), v.minValue(0, ratioRemedy), v.ltValue(1, ratioRemedy));

const shareRemedy = 'use a number in [0, 1]';

export const share = v.pipe(v.number(shareRemedy), v.minValue(0, shareRemedy), v.maxValue(1, shareRemedy));

const numberRemedy = 'use a number';

export const anyNumber = v.pipe(v.number(numberRemedy), v.finite(numberRemedy));

const aboveZeroRemedy = 'use a number above 0';

export const positiveNumber = v.pipe(
  v.number(aboveZeroRemedy),
  v.finite(aboveZeroRemedy),
  v.gtValue(0, aboveZeroRemedy),
);

const positiveRemedy = 'use a number from 0';

export const numberFromZero = v.pipe(
  v.number(positiveRemedy),
  v.finite(positiveRemedy),
  v.minValue(0, positiveRemedy),
);

/** @param max inclusive */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  const end = max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max.toLocaleString('en')}`;
  const remedy = `use a whole number from ${min}${end}`;
  return v.pipe(v.number(remedy), v.safeInteger(remedy), v.minValue(min, remedy), v.maxValue(max, remedy));
}

export const toggle = v.boolean('use true or false');

const textRemedy = 'use a text that is not empty';

export const text = v.pipe(v.string(textRemedy), v.nonEmpty(textRemedy));

/** One of a few words. */
export function choice<const Names extends readonly string[]>(names: Names) {
  return v.picklist(names, ({ input }) => {
    const meant = nearest(input, names);
    return `use one of ${names.join(', ')}${meant === undefined ? '' : ` (did you mean ${meant}?)`}`;
  });
}

export function list<Item extends v.GenericSchema>(item: Item) {
  return v.pipe(v.array(item, 'use a list'), v.readonly());
}

/** Values by a name that is free. */
export function record<Item extends v.GenericSchema>(item: Item) {
  return v.pipe(v.record(text, item, 'use an object'), v.readonly());
}

/** One value, or several in a list. */
export function oneOrMore<Item extends v.GenericSchema>(item: Item) {
  return v.union([item, list(item)]);
}

/** An object with the options of a table, of which some have to be there. */
export function objectOf<Table extends Options, Required extends keyof Table & string = never>(
  table: Table,
  required: readonly Required[] = [],
) {
  type Output = OptionsOf<Table> & { readonly [Name in Required]: v.InferOutput<Table[Name]['schema']> };
  const names = Object.keys(table).filter((name) => !table[name]!.old);
  const entries = Object.entries(table).map(([name, { schema }]) => [
    name,
    (required as readonly string[]).includes(name) ? schema : v.optional(schema),
  ]);
  return v.strictObject(
    Object.fromEntries(entries) as Record<string, v.GenericSchema>,
    ({ expected, input }) =>
      expected === 'never' ? nameRemedy(input, names) : `use an object with ${names.join(', ')}`,
  ) as unknown as v.GenericSchema<unknown, Output>;
}

/** What to write instead of a name that isn't known. */
export function nameRemedy(given: unknown, names: readonly string[]): string {
  const word = typeof given === 'string' ? given.replaceAll('"', '') : given;
  return `use ${nearest(word, names) ?? names.join(', ')}`;
}

/** What only a program can give: an object or a function of a certain form. */
export function made<T>(isOne: (value: object) => boolean, remedy: string) {
  const isMade = (value: unknown): boolean =>
    (typeof value === 'object' || typeof value === 'function') && value !== null && isOne(value);
  return v.custom<T>(isMade, remedy);
}

export function aFunction<T>() {
  return made<T>((value) => typeof value === 'function', 'give a function');
}
