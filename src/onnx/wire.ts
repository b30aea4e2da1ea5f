/** The few parts of the protobuf wire format that the generated code can't be asked for. */

export interface WireField {
  readonly number: number;
  readonly wireType: number;
  /** Where the tag starts. */
  readonly start: number;
  /** Where the value starts; of a length-delimited field, its content. */
  readonly content: number;
  readonly end: number;
}

/** The bytes don't follow the wire format; the codec turns it into `invalid-file`. */
export class MalformedError extends Error {}

/** Splits the message at `start … end` into its fields, without looking into them. */
export function splitFields(bytes: Uint8Array, start: number, end: number): WireField[] {
  const fields: WireField[] = [];
  let at = start;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) break;
      const byte = bytes[at++]!;
      // Powers instead of shifts: lengths may need more than 31 bits.
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
    throw new MalformedError('a number is cut off');
  };
  /** Groups that are open: with all that is in them they are one field. */
  let open = 0;
  let outer: Omit<WireField, 'end'> | undefined;
  while (at < end) {
    const fieldStart = at;
    const tag = varint();
    const wireType = tag % 8;
    let content = at;
    if (wireType === 0) varint();
    else if (wireType === 1) at += 8;
    else if (wireType === 5) at += 4;
    else if (wireType === 2) {
      const length = varint();
      content = at;
      at += length;
    } else if (wireType === 3) open++;
    else if (wireType === 4 && open > 0) open--;
    else throw new MalformedError(`wire type ${wireType} is not in use`);
    if (at > end) throw new MalformedError('a field runs past the end of its message');
    outer ??= { number: Math.floor(tag / 8), wireType, start: fieldStart, content };
    if (open > 0) continue;
    fields.push({ ...outer, end: at });
    outer = undefined;
  }
  if (open > 0) throw new MalformedError('a group is cut off');
  return fields;
}

/** A length-delimited field as its header and its content, so that the content needn't be copied. */
export function lengthDelimited(number: number, content: Uint8Array): [Uint8Array, Uint8Array] {
  return [Uint8Array.from([...varintBytes(number * 8 + 2), ...varintBytes(content.length)]), content];
}

export function varintBytes(value: number): number[] {
  const out: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) out.push((value % 128) + 128);
  out.push(value);
  return out;
}

/** One array of all parts; a single part is returned as it is. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
