/**
 * Any result as JSON with a final newline: maps as objects, typed arrays as lists, big integers as strings, and
 * what is not finite as a string, since JSON has no such numbers. Undefined entries are left out.
 */
export function toJsonText(value: unknown): string {
  return `${JSON.stringify(value, replace, 2).replace(unprintable, escape)}\n`;
}

/** What JSON.stringify leaves as it is and a terminal would act on. */
const unprintable = /[\x7f-\x9f\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

function replace(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value instanceof Map) return Object.fromEntries(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return [...(value as unknown as Iterable<unknown>)];
  return value;
}
