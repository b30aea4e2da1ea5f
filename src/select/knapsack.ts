import { PruneError } from '../errors.js';
import { removedScore, type Grouping, type PruningGroup } from '../groups/group.js';
import { budgetOutcomes, costOf, limitsOf, type Limit, type Priced } from './budget.js';
import { upperBound } from './knapsack/bound.js';
import { solveGreedily } from './knapsack/greedy.js';
import { solveWithHighs } from './knapsack/highs.js';
import { fits, keptOf, valueOf, type Item, type Levels, type Problem } from './knapsack/problem.js';
import type { KnapsackSolver, SelectSettings } from './options.js';
import { keepAxes } from './positions.js';
import { keptChannels, type Candidate } from './ranking.js';
import {
  countOf,
  findCandidates,
  nothingToPrune,
  stepsAbove,
  outOfReach,
  type Candidates,
  type GroupSelection,
  type KnapsackOutcome,
  type Selection,
} from './select.js';

/**
 * Chooses how many channels each group keeps such that the importance that stays is as large as the budgets allow, by
 * exact costs (after Aflalo et al., Knapsack Pruning with Inner Distillation, 2020, whose costs are those of the dense
 * model). Within a group the channels with the lowest scores go first. Several budgets hold at once.
 *
 * @param scores importance of every channel, by group, comparable between groups; a group without scores stays whole
 * @throws PruneError `invalid-option` without a budget or with ratios; `budget` if it can't be met;
 *   `nothing-to-prune` if every group has to stay whole.
 */
export async function selectKnapsack(
  grouping: Grouping,
  cost: Priced,
  scores: ReadonlyMap<PruningGroup, Float64Array>,
  options: SelectSettings,
): Promise<Selection> {
  if (options.budget === undefined || options.ratio !== undefined)
    throw new PruneError('invalid-option', 'select knapsack works on budgets; give one, e.g. macs=50%');
  if (Object.keys(options.ratios).length > 0)
    throw new PruneError(
      'invalid-option',
      'select knapsack decides on the ratio of every group; leave out the ratios of single groups',
    );
  const limits = limitsOf(options.budget, cost);
  const found = findCandidates(grouping, cost, scores, options);
  const { candidates } = found;
  const problem = problemOf(cost, limits, found);

  const floor = new Int32Array(candidates.length);
  if (!fits(problem, floor))
    throw outOfReach(grouping, cost, limits, countOf(candidates)(keptOf(problem, floor)), options);
  const quick = solveGreedily(problem);
  const at = options.solver === 'highs' ? await solveWithHighs(problem, quick) : quick;

  const kept = keptOf(problem, at);
  const plan = new Map(
    candidates.flatMap(({ group, scores }, i): [PruningGroup, Int32Array][] =>
      kept[i]! < group.size ? [[group, keptChannels(scores, kept[i]!)]] : [],
    ),
  );
  keepAxes(grouping, plan, scores);
  const selection = describe(grouping, found, plan, kept);
  const removes = selection.some(({ removed }) => removed > 0);
  if (!removes && limits.some(({ limit, dense }) => dense > limit)) throw nothingToPrune(selection);
  const all = candidates.reduce((sum, { group }) => sum + group.size, 0);
  return {
    plan: { kept: plan },
    groups: selection,
    ratio: all > 0 ? 1 - kept.reduce((sum, count) => sum + count, 0) / all : 0,
    budgets: budgetOutcomes(
      cost,
      limits,
      kept,
      stepsAbove(kept, candidates, found.alignment),
      countOf(candidates),
    ),
    knapsack: outcomeOf(problem, limits, at, options.solver),
  };
}

/** Loads are exact costs; a channel's value is its score, shifted where scores are negative; what is gone has none. */
function problemOf(cost: Priced, limits: readonly Limit[], { candidates, alignment }: Candidates): Problem {
  let lowest = 0;
  for (const { scores } of candidates)
    for (const score of scores) if (score !== removedScore) lowest = Math.min(lowest, score);
  const items = candidates.map((candidate, i) => itemOf(candidate, alignment.levels(i), lowest));
  const total = items.reduce((sum, { values }) => sum + values.at(-1)!, 0);
  const count = countOf(candidates);
  return {
    // Shares of all importance, so that prices mean the same in every model.
    items: items.map(({ levels, values }) => ({
      levels,
      values: total > 0 ? values.map((value) => value / total) : values,
    })),
    limits: limits.length,
    load: (kept) => {
      const counts = count(kept);
      return Float64Array.from(limits, ({ measure, limit }) => costOf(cost, measure, counts) / limit);
    },
  };
}

/** Channels that can't go have infinite scores: they are worth as much as the best of the others, and always stay. */
function itemOf({ scores }: Candidate, allowed: Int32Array, lowest: number): Item {
  const best = scores.reduce((high, score) => (score === Infinity ? high : Math.max(high, score)), lowest);
  const pinned = scores.reduce((count, score) => count + Number(score === Infinity), 0);
  const levels = allowed.filter((level) => level >= pinned);
  const sorted = scores
    .map((score) => (score === removedScore ? 0 : Math.min(score, best) - lowest))
    .sort((a, b) => b - a);
  const sums = new Float64Array(sorted.length + 1);
  sorted.forEach((score, i) => (sums[i + 1] = sums[i]! + score));
  return { levels, values: Float64Array.from(levels, (level) => sums[level]!) };
}

function outcomeOf(
  problem: Problem,
  limits: readonly Limit[],
  at: Levels,
  solver: KnapsackSolver,
): KnapsackOutcome {
  const retained = valueOf(problem, at);
  const counted = limits.flatMap(({ measure }, limit) => (measure === 'latency' ? [] : [limit]));
  const bound = Math.max(retained, Math.min(1, upperBound(problem, counted)));
  return { solver, retained, bound, gap: bound > 0 ? 1 - retained / bound : 0 };
}

function describe(
  grouping: Grouping,
  { candidates, alignment, reasons }: Candidates,
  plan: ReadonlyMap<PruningGroup, Int32Array>,
  kept: Int32Array,
): GroupSelection[] {
  const index = new Map(candidates.map(({ group }, i) => [group, i]));
  return grouping.groups.map((group): GroupSelection => {
    const i = index.get(group);
    const left = plan.get(group)?.length ?? group.size;
    let reason = reasons.get(group);
    if (i !== undefined) {
      if (left < group.size && alignment.misaligned(i, kept) > 0) reason = 'not every axis could be aligned';
      else if (left === candidates[i]!.least && left > 1) reason = `at its minimum of ${left} channels`;
      else if (left === group.size) reason = 'its channels are worth more than they cost';
    }
    return { group, kept: left, removed: group.size - left, ...(reason !== undefined && { reason }) };
  });
}
