import { fillNormal, normal, type RandomGenerator } from '../random/random.js';

/** Axes shorter than this are planes (colours, sensors), not places. */
const shortest = 8;

/**
 * Fills an example with something between a photograph and noise, for models whose data is not at hand: structure of
 * all sizes whose strength falls with frequency like 1/f^β, β drawn from [0, 2) for each example (photographs are near
 * 1: Field, "Relations between the statistics of natural images and the response properties of cortical cells", 1987),
 * above a plain ground; planes share half of it. The whole has mean 0 and deviation 1, as preprocessed inputs have.
 * Examples without a long axis are standard normal.
 */
export function fillSynthetic(target: Float32Array, dims: readonly number[], random: RandomGenerator): void {
  const long = dims.map((size) => (size >= shortest ? size : 1));
  if (long.every((size) => size === 1)) return void fillNormal(target, random);
  const places = long.reduce((a, b) => a * b, 1);
  const roughness = 2 * random();
  const shared = octaves(long, roughness, random);
  const planes = target.length / places;
  const strides = stridesOf(dims);
  const longStrides = stridesOf(long);
  const own = Array.from({ length: planes }, () => (planes > 1 ? octaves(long, roughness, random) : shared));
  for (let i = 0; i < target.length; i++) {
    let [place, plane] = [0, 0];
    for (let axis = 0; axis < dims.length; axis++) {
      const at = Math.floor(i / strides[axis]!) % dims[axis]!;
      if (long[axis]! > 1) place += at * longStrides[axis]!;
      else plane = plane * dims[axis]! + at;
    }
    target[i] = Math.SQRT1_2 * (shared[place]! + (planes > 1 ? own[plane]![place]! : 0));
  }
  // Something always stands out of the ground.
  const highest = target.reduce((a, b) => Math.max(a, b));
  const ground = Math.min(0.5 * normal(random), highest / 2);
  for (let i = 0; i < target.length; i++) target[i] = Math.max(ground, target[i]!);
  standardize(target);
}

/** Value noise: normal numbers on grids of 1, 2, 4, ... cells, interpolated linearly and summed; deviation 1. */
function octaves(dims: readonly number[], roughness: number, random: RandomGenerator): Float32Array {
  const sum = new Float32Array(dims.reduce((a, b) => a * b, 1));
  for (let cells = 1; cells <= Math.max(...dims); cells *= 2) {
    let sizes = dims.map((size) => (size === 1 ? 1 : Math.min(size, cells + 1)));
    let values = fillNormal(new Float32Array(sizes.reduce((a, b) => a * b, 1)), random);
    dims.forEach((size, axis) => {
      values = stretched(values, sizes, axis, size);
      sizes = sizes.with(axis, size);
    });
    const strength = cells ** -roughness;
    for (let i = 0; i < sum.length; i++) sum[i]! += strength * values[i]!;
  }
  standardize(sum);
  return sum;
}

/** Linear interpolation along one axis, ends on ends. */
function stretched(
  values: Float32Array<ArrayBuffer>,
  dims: readonly number[],
  axis: number,
  size: number,
): Float32Array<ArrayBuffer> {
  const before = dims[axis]!;
  if (before === size) return values;
  const inner = stridesOf(dims)[axis]!;
  const outer = values.length / (before * inner);
  const out = new Float32Array(outer * size * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < size; i++) {
      const exact = (i * (before - 1)) / (size - 1);
      const low = Math.min(before - 2, Math.floor(exact));
      const share = exact - low;
      const from = (o * before + low) * inner;
      const to = (o * size + i) * inner;
      for (let k = 0; k < inner; k++)
        out[to + k] = (1 - share) * values[from + k]! + share * values[from + inner + k]!;
    }
  return out;
}

function stridesOf(dims: readonly number[]): number[] {
  const strides = dims.map(() => 1);
  for (let axis = dims.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * dims[axis + 1]!;
  return strides;
}

function standardize(values: Float32Array): void {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  for (let i = 0; i < values.length; i++) values[i] = deviation > 0 ? (values[i]! - mean) / deviation : 0;
}
