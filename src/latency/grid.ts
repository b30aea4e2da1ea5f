/** Widths at which an operation is measured, as shares of the dense width. */
const shares = [1 / 8, 3 / 8, 5 / 8, 1];

/** Widths are measured at multiples of this, the largest vector that kernels work in. */
const block = 16;

/** Ascending; the last is the dense width itself. */
export function gridOf(dense: number): number[] {
  const step = dense >= 2 * block ? block : dense >= block ? block / 2 : 1;
  const widths = shares.map((share) =>
    share === 1 ? dense : Math.max(1, Math.min(dense, Math.round((share * dense) / step) * step || step)),
  );
  return [...new Set(widths)].sort((a, b) => a - b);
}

/** Milliseconds on a grid of widths, the first width outermost. */
export interface TimeGrid {
  readonly axes: readonly (readonly number[])[];
  readonly times: Float64Array;
}

/** Every point of a grid, the last width fastest. */
export function gridPoints(axes: readonly (readonly number[])[]): number[][] {
  return axes.reduce<number[][]>(
    (points, axis) => points.flatMap((point) => axis.map((width) => [...point, width])),
    [[]],
  );
}

/**
 * Makes times never fall as a width grows, which searching relies on: nothing takes longer than what is wider. Widths
 * that a kernel likes less than larger ones thus save nothing.
 */
export function monotone({ axes, times }: TimeGrid): TimeGrid {
  const out = times.slice();
  let stride = 1;
  for (let axis = axes.length - 1; axis >= 0; axis--) {
    const length = axes[axis]!.length;
    for (let i = out.length - 1; i >= 0; i--)
      if (Math.floor(i / stride) % length < length - 1) out[i] = Math.min(out[i]!, out[i + stride]!);
    stride *= length;
  }
  return { axes, times: out };
}

/**
 * Multilinear between grid points; below the smallest width along the line of the first two points, but not below a
 * quarter of the first.
 */
export function interpolate({ axes, times }: TimeGrid, widths: readonly number[]): number {
  let base = 0;
  let stride = times.length;
  const corners: { step: number; share: number }[] = [];
  axes.forEach((axis, i) => {
    stride /= axis.length;
    if (axis.length === 1) return;
    let at = 0;
    while (at < axis.length - 2 && widths[i]! > axis[at + 1]!) at++;
    const share = (widths[i]! - axis[at]!) / (axis[at + 1]! - axis[at]!);
    base += at * stride;
    corners.push({ step: stride, share: Math.min(1, share) });
  });
  let value = 0;
  for (let corner = 0; corner < 1 << corners.length; corner++) {
    let index = base;
    let weight = 1;
    corners.forEach(({ step, share }, i) => {
      const upper = (corner >> i) & 1;
      index += upper * step;
      weight *= upper ? share : 1 - share;
    });
    value += weight * times[index]!;
  }
  return Math.max(value, 0.25 * times[0]!);
}
