import { curvesAt, type Curves } from './curves.js';
import { highest, loadOf, type Levels, type Problem } from './problem.js';
import { relaxed } from './relax.js';

/**
 * More importance than this no plan can retain. Costs are polynomials with positive coefficients, hence supermodular:
 * a channel saves the most while all others are there, and costs the least to keep while all others are gone. Either
 * makes a separable lower bound of the cost, and the Lagrangian dual of the knapsack under it bounds the optimum
 * (the bound of its linear programme; loose where a budget is tight). Not a bound for measured costs.
 * @param limits those with polynomial costs; default all
 */
export function upperBound(
  problem: Problem,
  limits: readonly number[] = Array.from({ length: problem.limits }, (_, limit) => limit),
): number {
  if (limits.length === 0) return Infinity;
  const ends: readonly Levels[] = [highest(problem), new Int32Array(problem.items.length)];
  let bound = Infinity;
  for (const end of ends) {
    const base = loadOf(problem, end);
    const curves = curvesAt(problem, end);
    for (const limit of limits) {
      const weights = new Float64Array(problem.limits);
      weights[limit] = 1;
      bound = Math.min(bound, dual(problem, curves, weights, 1 - base[limit]!));
    }
  }
  return bound;
}

/** The minimum over the price of the relaxed optimum; convex in the price, by ternary search on its logarithm. */
function dual(problem: Problem, curves: Curves, weights: Float64Array, capacity: number): number {
  const at = (logarithm: number): number => {
    const price = Math.exp(logarithm);
    return relaxed(problem, curves, weights, price).surplus + price * capacity;
  };
  let [low, high] = [-40, 40];
  let bound = Math.min(at(low), at(high));
  for (let step = 0; step < 60; step++) {
    const [a, b] = [low + (high - low) / 3, high - (high - low) / 3];
    const [atA, atB] = [at(a), at(b)];
    bound = Math.min(bound, atA, atB);
    if (atA <= atB) high = b;
    else low = a;
  }
  return bound;
}
