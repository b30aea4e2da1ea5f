import type { Curves } from './curves.js';
import type { Levels, Problem } from './problem.js';

/** The best level of each item where a unit of load costs `price`, with the limits weighted. */
export function relaxed(
  { items }: Problem,
  curves: Curves,
  weights: Float64Array,
  price: number,
): { at: Levels; surplus: number } {
  const at = new Int32Array(items.length);
  let surplus = 0;
  items.forEach(({ values }, i) => {
    let best = -Infinity;
    const own = curves[i]!;
    for (let level = 0; level < values.length; level++) {
      let load = 0;
      for (let limit = 0; limit < weights.length; limit++) load += weights[limit]! * own[limit]![level]!;
      const net = values[level]! - price * load;
      // Of equally good levels the larger one.
      if (net >= best) {
        best = net;
        at[i] = level;
      }
    }
    surplus += best;
  });
  return { at, surplus };
}

/** Halvings of the logarithm of a price. */
const halvings = 40;

/**
 * The cheapest price at which `isFeasible` accepts the relaxed levels, and those levels; undefined if even a
 * prohibitive price doesn't do it.
 */
export function cheapest(
  problem: Problem,
  curves: Curves,
  weights: Float64Array,
  isFeasible: (at: Levels) => boolean,
): Levels | undefined {
  // The relative price of the whole importance for a share of the load spans what sensible scores need.
  let [low, high] = [-40, 40];
  let found = relaxed(problem, curves, weights, Math.exp(high)).at;
  if (!isFeasible(found)) return undefined;
  for (let step = 0; step < halvings; step++) {
    const middle = (low + high) / 2;
    const { at } = relaxed(problem, curves, weights, Math.exp(middle));
    if (isFeasible(at)) {
      found = at;
      high = middle;
    } else low = middle;
  }
  return found;
}
