/** How Resize maps positions: the attributes of the op, by their names in ONNX. */
export interface Interpolation {
  readonly mode: string;
  readonly coordinates: string;
  readonly nearest: string;
  readonly cubicCoefficient: number;
}

/**
 * The matrix [output, input] by which Resize maps one axis, row-major; undefined for modes that are not known.
 * Formulas of ONNX's Resize; positions past an end read the end.
 */
export function interpolationMatrix(
  input: number,
  output: number,
  scale: number,
  how: Interpolation,
): Float32Array | undefined {
  const matrix = new Float32Array(output * input);
  for (let o = 0; o < output; o++) {
    const x = coordinate(o, input, output, scale, how.coordinates);
    if (x === undefined) return undefined;
    const taps = tapsAt(x, how);
    if (!taps) return undefined;
    for (const [at, weight] of taps) matrix[o * input + Math.min(Math.max(at, 0), input - 1)]! += weight;
  }
  return matrix;
}

function coordinate(
  o: number,
  input: number,
  output: number,
  scale: number,
  mode: string,
): number | undefined {
  switch (mode) {
    case 'half_pixel':
      return (o + 0.5) / scale - 0.5;
    case 'pytorch_half_pixel':
      return output > 1 ? (o + 0.5) / scale - 0.5 : 0;
    case 'asymmetric':
      return o / scale;
    case 'align_corners':
      return output > 1 ? (o * (input - 1)) / (output - 1) : 0;
    default:
      return undefined;
  }
}

type Tap = readonly [at: number, weight: number];

function tapsAt(x: number, { mode, nearest, cubicCoefficient: a }: Interpolation): Tap[] | undefined {
  const low = Math.floor(x);
  const t = x - low;
  if (mode === 'nearest') {
    const rounding: Readonly<Record<string, number>> = {
      floor: low,
      ceil: Math.ceil(x),
      round_prefer_floor: Math.ceil(x - 0.5),
      round_prefer_ceil: Math.floor(x + 0.5),
    };
    const at = rounding[nearest];
    return at === undefined ? undefined : [[at, 1]];
  }
  if (mode === 'linear') return [[low, 1 - t], [low + 1, t]]; // prettier-ignore
  if (mode !== 'cubic') return undefined;
  const near = (s: number): number => ((a + 2) * s - (a + 3)) * s * s + 1;
  const far = (s: number): number => ((a * s - 5 * a) * s + 8 * a) * s - 4 * a;
  return [[low - 1, far(1 + t)], [low, near(t)], [low + 1, near(1 - t)], [low + 2, far(2 - t)]]; // prettier-ignore
}
