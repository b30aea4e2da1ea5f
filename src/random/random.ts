/** Uniform numbers in [0, 1). */
export type RandomGenerator = () => number;

/**
 * A seeded, reproducible generator of uniform numbers in [0, 1): the same seed gives the same sequence everywhere.
 * Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, period 2^32; not for cryptography.
 * @param seed a number (its fraction and sign count too) or any string, such as `"42:conv1.weight"`.
 */
export function randomGenerator(seed: number | string): RandomGenerator {
  let state = hash(String(seed));
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** One standard normal number (Box–Muller, two uniforms each, so that the sequence has no hidden state). */
export function normal(random: RandomGenerator): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Fills an array with standard normal numbers, two for every two uniforms. */
export function fillNormal<T extends Float32Array | Float64Array>(target: T, random: RandomGenerator): T {
  for (let i = 0; i < target.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const angle = 2 * Math.PI * random();
    target[i] = radius * Math.cos(angle);
    if (i + 1 < target.length) target[i + 1] = radius * Math.sin(angle);
  }
  return target;
}

/** An integer in [0, bound). */
export function integerBelow(bound: number, random: RandomGenerator): number {
  return Math.floor(random() * bound);
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 2166136261;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 16777619);
  return value >>> 0;
}
