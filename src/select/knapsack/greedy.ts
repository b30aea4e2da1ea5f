import { curvesAt, type Curves } from './curves.js';
import { Allowance, improve } from './exchange.js';
import { fits, highest, loadOf, valueOf, type Levels, type Problem } from './problem.js';
import { cheapest } from './relax.js';

/** Rounds of pricing the costs at the plan of the round before. */
const rounds = 12;

/** Plans that local search may price, over all starts: a second or so for the largest models. */
const searchAllowance = 40_000;

/**
 * Importance for cost, channel by channel: everything is kept whose importance is worth its cost at one common price,
 * and the price is bisected on exact costs. Since the costs of coupled groups multiply, what a channel costs depends on
 * the plan: prices are taken at the plan of the round before (first at the dense model, as Aflalo et al. 2020 do, and
 * at the smallest plan), and the best plans are improved by exact exchanges.
 * @param floor the smallest plan, which must fit
 */
export function solveGreedily(problem: Problem): Levels {
  const floor: Levels = new Int32Array(problem.items.length);
  const whole = highest(problem);
  if (fits(problem, whole)) return whole;
  const middle = whole.map((level) => level >> 1);
  const found: Levels[] = [];
  for (const start of [whole, middle, floor]) found.push(...descend(problem, start));
  const distinct = new Map(found.map((at) => [at.join(), at]));
  const best = [...distinct.values(), floor]
    .sort((a, b) => valueOf(problem, b) - valueOf(problem, a))
    .slice(0, 4);
  const allowance = (): Allowance => new Allowance(searchAllowance / best.length);
  return best
    .map((at) => improve(problem, at, allowance()))
    .reduce((a, b) => (valueOf(problem, b) > valueOf(problem, a) ? b : a));
}

/** Feasible plans, one a round, each priced at the one before. */
function descend(problem: Problem, start: Levels): Levels[] {
  const found: Levels[] = [];
  const weights = new Float64Array(problem.limits).fill(1 / problem.limits);
  let curves: Curves | undefined;
  let reference = start;
  for (let round = 0; round < rounds; round++) {
    const next = curvesAt(problem, reference);
    // Half of the round before: plain iteration tends to swing between two plans.
    curves = curves ? mix(curves, next) : next;
    const at = cheapest(problem, curves, weights, (levels) => fits(problem, levels));
    if (!at) return found;
    const isRepeated = found.length > 0 && at.every((level, i) => level === found.at(-1)![i]);
    found.push(at);
    if (isRepeated && problem.limits === 1) return found;
    reweigh(weights, loadOf(problem, at));
    reference = at;
  }
  return found;
}

/** The limit that binds gets the more weight. */
function reweigh(weights: Float64Array, load: Float64Array): void {
  let sum = 0;
  for (let limit = 0; limit < weights.length; limit++) {
    weights[limit] = Math.max(1e-3, weights[limit]!) * load[limit]! ** 8;
    sum += weights[limit]!;
  }
  for (let limit = 0; limit < weights.length; limit++) weights[limit]! /= sum;
}

function mix(a: Curves, b: Curves): Curves {
  return a.map((curves, i) =>
    curves.map((curve, limit) => curve.map((value, level) => (value + b[i]![limit]![level]!) / 2)),
  );
}
