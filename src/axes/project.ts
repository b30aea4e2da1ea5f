import type { Axis, Factor } from './axis.js';
import type { AxisSystem } from './system.js';

/** Kept indices of factors as 0/1 masks; a factor that is not listed keeps everything. */
export type KeptMasks = ReadonlyMap<Factor, Uint8Array>;

/** Kept indices of a factor; those of an atom are one index of the factor it came from. */
function maskOf(factor: Factor, kept: KeptMasks): Uint8Array | undefined {
  if (!factor.origin) return kept.get(factor);
  const { factor: whole, index } = factor.origin;
  return factor.blocker ? undefined : kept.get(whole)?.subarray(index, index + 1);
}

/** Which positions of an axis are kept: concatenation over sums, outer AND over products. */
export function keepMask(system: AxisSystem, axis: Axis, kept: KeptMasks): Uint8Array {
  const e = system.head(axis);
  if (e.kind === 'factor') return maskOf(e, kept) ?? new Uint8Array(e.size).fill(1);
  if (e.kind === 'sum') {
    const out = new Uint8Array(e.size);
    let start = 0;
    for (const term of e.terms) {
      out.set(keepMask(system, term, kept), start);
      start += term.size;
    }
    return out;
  }
  let out = new Uint8Array([1]);
  for (const term of e.terms) {
    const inner = keepMask(system, term, kept);
    const next = new Uint8Array(out.length * inner.length);
    for (let i = 0; i < out.length; i++) if (out[i]) next.set(inner, i * inner.length);
    out = next;
  }
  return out;
}

/** Whether a plan removes anything on an axis. */
export function isTouched(system: AxisSystem, axis: Axis, kept: KeptMasks): boolean {
  return system.leaves(axis).some((leaf) => maskOf(leaf, kept)?.includes(0));
}

/** For each position of an axis its coordinate in `factor`, or -1 where the factor doesn't occur. */
export function coordinates(system: AxisSystem, axis: Axis, factor: Factor): Int32Array {
  const e = system.head(axis);
  const out = new Int32Array(e.size).fill(-1);
  if (e.kind === 'factor') {
    if (e === factor) for (let i = 0; i < e.size; i++) out[i] = i;
    else if (e.origin?.factor === factor) out[0] = e.origin.index;
    return out;
  }
  if (e.kind === 'sum') {
    let start = 0;
    for (const term of e.terms) {
      out.set(coordinates(system, term, factor), start);
      start += term.size;
    }
    return out;
  }
  let stride = e.size;
  for (const term of e.terms) {
    stride /= term.size;
    const inner = coordinates(system, term, factor);
    for (let i = 0; i < e.size; i++) {
      const c = inner[Math.floor(i / stride) % term.size]!;
      if (c >= 0) out[i] = c;
    }
  }
  return out;
}
