import { f16round, Float16Array } from '@petamoriken/float16';

/** Half precision by another implementation. */
export const float16 = {
  decode: (bits: Uint16Array) => Float32Array.from(new Float16Array(bits.buffer as ArrayBuffer)),
  round: (value: number) => f16round(value),
};
