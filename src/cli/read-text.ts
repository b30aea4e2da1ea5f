import * as v from 'valibot';
import { PruneError } from '../errors.js';

/** A schema of any kind, with what is read of it here. */
type Schema = v.GenericSchema & {
  readonly options?: readonly Schema[];
  readonly item?: Schema;
  readonly items?: readonly Schema[];
  readonly value?: Schema;
  readonly wrapped?: Schema;
  readonly entries?: Readonly<Record<string, Schema>>;
  readonly pipe?: readonly { readonly type: string; readonly requirement?: unknown }[];
};

/**
 * What the text of a flag stands for by its schema: a number, a list (one flag an item), `NAME=VALUE` for objects. Whether
 * it is allowed isn't checked here.
 * @param previous what the same flag gave before, for flags that can be repeated
 * @param flag with its placeholder, for objects: `--shape <name=dims>`
 * @throws PruneError `invalid-option` for an object without `=`
 */
export function readText(
  schema: v.GenericSchema,
  text: string,
  previous: unknown,
  { flag, placeholder }: { readonly flag: string; readonly placeholder: string },
): unknown {
  const { type, item, value, entries } = schema as Schema;
  if (type === 'array') return [...((previous as readonly unknown[]) ?? []), readValue(item!, text)];
  if (type !== 'record' && type !== 'strict_object') return readValue(schema, text);
  // Names may hold `=`, so the last one separates.
  const at = text.lastIndexOf('=');
  if (at < 1) throw new PruneError('invalid-option', `invalid ${flag}: ${text}; write it as ${placeholder}`);
  const [name, rest] = [text.slice(0, at), text.slice(at + 1)];
  const own = value ?? entries?.[name];
  return { ...(previous as object), [name]: own ? readValue(own, rest) : rest };
}

/** One value; lists are separated by commas. */
export function readValue(schema: v.GenericSchema, text: string): unknown {
  const { type, options, item, items, wrapped } = schema as Schema;
  if (type === 'number') return readNumber(text, isShare(schema));
  if (type === 'optional') return readValue(wrapped!, text);
  if (type === 'array') return text.split(',').map((part) => readValue(item!, part));
  if (type === 'strict_tuple')
    return text.split(',').map((part, i) => readValue(items![i] ?? items![0]!, part));
  if (type !== 'union') return text;
  for (const option of options!) {
    const candidate = readValue(option, text);
    if (v.is(option, candidate)) return candidate;
  }
  return text;
}

/** Shares can be percentages. NaN for what is no number. */
function readNumber(text: string, isShareOfOne: boolean): number {
  const match = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(%?)\s*$/i.exec(text);
  if (!match || (match[2] && !isShareOfOne)) return NaN;
  return match[2] ? Number(match[1]) / 100 : Number(match[1]);
}

function isShare({ pipe = [] }: Schema): boolean {
  return pipe.some(
    ({ type, requirement }) => (type === 'lt_value' || type === 'max_value') && requirement === 1,
  );
}
