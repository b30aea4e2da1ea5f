let table: Float32Array | undefined;

/** IEEE 754 half precision bits as float32, by a table of all 65,536 values. */
export function decodeFloat16(bits: Uint16Array): Float32Array {
  table ??= decodeTable();
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i]!]!;
  return out;
}

function decodeTable(): Float32Array {
  const values = new Float32Array(1 << 16);
  for (let bits = 0; bits < 1 << 16; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    if (exponent === 31) values[bits] = fraction ? NaN : sign * Infinity;
    else if (exponent === 0) values[bits] = sign * fraction * 2 ** -24;
    else values[bits] = sign * (1024 + fraction) * 2 ** (exponent - 25);
  }
  return values;
}

/** Numbers rounded to half precision (nearest, ties to even), as bits. */
export function encodeFloat16(numbers: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(numbers.length);
  for (let i = 0; i < numbers.length; i++) out[i] = float16Bits(numbers[i]!);
  return out;
}

function float16Bits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  // The exponent of the last place: -24 for subnormals, otherwise 10 below that of the value.
  const place = size < 2 ** -14 ? -24 : Math.floor(Math.log2(size)) - 10;
  const units = roundHalfEven(size * 2 ** -place);
  // A rounding carry out of the fraction runs into the exponent bits, which is the right result.
  return sign | ((place + 24) * 1024 + units);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
