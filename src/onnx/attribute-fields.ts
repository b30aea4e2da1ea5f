import type { Attribute, AttributeValue } from './model.js';
import { concatBytes, splitFields } from './wire.js';

/** Numbers of the value fields of AttributeProto, by the kind of the attribute. */
const valueFields = {
  float: 2, int: 3, string: 4, tensor: 5, graph: 6, floats: 7, ints: 8, strings: 9, tensors: 10, graphs: 11,
} as const; // prettier-ignore
const allValueFields: ReadonlySet<number> = new Set(Object.values(valueFields));

/**
 * What a typed attribute holds that its value doesn't tell, as it stands in the file: the fields of other types, and
 * its own where it holds a NaN, since of a NaN a number keeps no payload.
 */
export function extraFields(
  message: Uint8Array,
  { type, value }: Exclude<AttributeValue, { type: 'other' }>,
): Pick<Attribute, 'strayFields' | 'nanFields'> {
  const fields = splitFields(message, 0, message.length).filter(({ number }) => allValueFields.has(number));
  const own = valueFields[type];
  const raw = (kept: typeof fields): Uint8Array =>
    concatBytes(kept.map(({ start, end }) => message.subarray(start, end)));
  const stray = fields.filter(({ number }) => number !== own);
  const isNan =
    (type === 'float' && Number.isNaN(value)) || (type === 'floats' && value.some((x) => Number.isNaN(x)));
  return {
    ...(stray.length > 0 && { strayFields: raw(stray) }),
    ...(isNan && { nanFields: raw(fields.filter(({ number }) => number === own)) }),
  };
}
