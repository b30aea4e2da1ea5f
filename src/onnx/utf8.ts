/**
 * Text fields of a file that are not UTF-8, byte for byte: a byte that belongs to no character becomes the lone surrogate
 * U+DC80 to U+DCFF, and is written as that byte again. Source: PEP 383 (`surrogateescape`).
 */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const escapes = /[\u{DC80}-\u{DCFF}]/u;

export function textOf(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return escaped(bytes);
  }
}

/** Undefined for a text that is plain UTF-8. */
export function bytesOfEscaped(text: string): Uint8Array | undefined {
  if (!escapes.test(text)) return undefined;
  const encoder = new TextEncoder();
  return Uint8Array.from(
    Array.from(text).flatMap((character) =>
      escapes.test(character) ? [character.charCodeAt(0) - 0xdc00] : [...encoder.encode(character)],
    ),
  );
}

function escaped(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const character = characterAt(bytes, at);
    text += character ?? String.fromCharCode(0xdc00 + bytes[at]!);
    at += character === undefined ? 1 : lengthOf(bytes[at]!);
  }
  return text;
}

/** Bytes of a character, by its first one. */
const lengthOf = (first: number): number => (first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4);

function characterAt(bytes: Uint8Array, at: number): string | undefined {
  try {
    return strict.decode(bytes.subarray(at, at + lengthOf(bytes[at]!)));
  } catch {
    return undefined;
  }
}
