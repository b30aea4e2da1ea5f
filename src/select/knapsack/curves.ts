import { keptOf, loadOf, type Levels, type Problem } from './problem.js';

/** Per item and limit: how the load changes where only this item leaves the reference, at each of its levels. */
export type Curves = readonly (readonly Float64Array[])[];

/** Highest power of one group's size that is expected in a cost: two of a coupled convolution, with room to spare. */
const degree = 4;

/**
 * The costs made separable around a reference: `load(at) ≈ load(reference) + Σ curves`. Exact where no two items share
 * a term. Each curve is a polynomial, hence found by interpolation through a few loads and checked at another level;
 * where the check fails (a cost that was measured) every level is priced.
 */
export function curvesAt(problem: Problem, reference: Levels): Curves {
  const base = loadOf(problem, reference);
  const kept = keptOf(problem, reference);
  return problem.items.map(({ levels }, i) => {
    const loads = (level: number): Float64Array => {
      const before = kept[i]!;
      kept[i] = levels[level]!;
      const load = problem.load(kept);
      kept[i] = before;
      return load.map((value, limit) => value - base[limit]!);
    };
    const nodes = sampled(levels.length, degree + 1);
    const samples = nodes.map(loads);
    const interpolated = Array.from({ length: problem.limits }, (_, limit) =>
      interpolate(
        levels,
        nodes,
        samples.map((sample) => sample[limit]!),
      ),
    );
    if (nodes.length === levels.length) return interpolated;
    const check = nodes[0]! + 1;
    const actual = loads(check);
    if (interpolated.every((curve, limit) => Math.abs(curve[check]! - actual[limit]!) < 1e-9))
      return interpolated;
    const all = Array.from(levels, (_, level) => loads(level));
    return interpolated.map((_, limit) => Float64Array.from(all, (load) => load[limit]!));
  });
}

/** Up to `count` indices spread over [0, length), both ends included. */
function sampled(length: number, count: number): number[] {
  if (length <= count) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round((i * (length - 1)) / (count - 1)));
}

/** Lagrange's polynomial through the samples, at all levels. */
function interpolate(levels: Int32Array, nodes: readonly number[], samples: readonly number[]): Float64Array {
  const out = new Float64Array(levels.length);
  for (let level = 0; level < out.length; level++)
    nodes.forEach((a, i) => {
      let term = samples[i]!;
      for (const b of nodes) if (b !== a) term *= (levels[level]! - levels[b]!) / (levels[a]! - levels[b]!);
      out[level]! += term;
    });
  return out;
}
