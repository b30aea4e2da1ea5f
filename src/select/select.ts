import type { Factor } from '../axes/axis.js';
import type { SizeOf } from '../cost/cost.js';
import { PruneError } from '../errors.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import type { Plan } from '../plan/plan.js';
import { Alignment, type Aligned } from './alignment.js';
import {
  budgetOutcomes,
  costOf,
  limitsOf,
  meets,
  worstLimit,
  type BudgetOutcome,
  type Limit,
  type Priced,
} from './budget.js';
import { prunableGroups } from './eligible.js';
import { checkGlobs, memberNames, nameFilter } from './names.js';
import { multipleOf, type KnapsackSolver, type SelectSettings } from './options.js';
import { keepAxes, withoutPinned } from './positions.js';
import { allocate, channelRanks, keptChannels, type Allocation, type Candidate } from './ranking.js';

/** What became of one group. */
export interface GroupSelection {
  readonly group: PruningGroup;
  readonly kept: number;
  readonly removed: number;
  /** Why nothing was removed, or what held it back. */
  readonly reason?: string;
}

export interface Selection {
  readonly plan: Plan;
  /** One entry per group, in the order of the grouping. */
  readonly groups: readonly GroupSelection[];
  /** The ratio used: the one asked for, or the smallest that met the budget. */
  readonly ratio: number;
  /** One entry per budget. */
  readonly budgets: readonly BudgetOutcome[];
  /** How the knapsack came out; undefined for `uniform`. */
  readonly knapsack?: KnapsackOutcome;
}

export interface KnapsackOutcome {
  readonly solver: KnapsackSolver;
  /** Share of the importance of all candidates that stays. */
  readonly retained: number;
  /** No plan within the budgets retains more than this share; budgets of latency don't count. */
  readonly bound: number;
  /** Relative distance of the two: at most this much is lost to the search. */
  readonly gap: number;
}

/**
 * Chooses the channels to remove: those with the lowest scores, as many as a ratio or a budget asks for.
 * With a budget the ratio is bisected on exact costs, and what rounding then leaves of the budget is given back
 * group by group. Deterministic; equal scores are removed in order of index.
 *
 * @param scores importance of every channel, by group; a group without scores stays whole
 * @throws PruneError `invalid-option`; `budget` if it can't be met, with what can be reached;
 *   `nothing-to-prune` if every group has to stay whole, with the main reasons.
 */
export function select(
  grouping: Grouping,
  cost: Priced,
  scores: ReadonlyMap<PruningGroup, Float64Array>,
  options: SelectSettings,
): Selection {
  if ((options.ratio === undefined) === (options.budget === undefined))
    throw new PruneError('invalid-option', 'invalid selection: give either a ratio or a budget');
  const { candidates, alignment, reasons } = findCandidates(grouping, cost, scores, options);
  const allocation = allocate(grouping, candidates, options.scope);
  const count = countOf(candidates);

  const limits = options.budget && limitsOf(options.budget, cost);
  const { kept, aligned, ratio } = limits
    ? withinBudget(grouping, cost, limits, { allocation, alignment, count, options })
    : { ...alignment.align(allocation(options.ratio!)), ratio: options.ratio! };

  const plan = new Map<PruningGroup, Int32Array>();
  const asked = allocation(ratio);
  candidates.forEach((candidate, i) => {
    const { group, least } = candidate;
    if (kept[i]! < group.size) plan.set(group, keptChannels(candidate.scores, kept[i]!));
    const wanted = asked[i]! < group.size;
    if (!aligned[i]) reasons.set(group, `not every axis can be a multiple of ${alignment.multiples[i]}`);
    else if (kept[i] === least && kept[i] > 1) reasons.set(group, `at its minimum of ${least} channels`);
    else if (kept[i] === group.size && wanted)
      reasons.set(group, `rounded up to a multiple of ${alignment.multiples[i]}`);
    else if (kept[i] === group.size)
      reasons.set(group, `its share at ratio ${round(candidate.ratio ?? ratio)} is less than one channel`);
  });
  keepAxes(grouping, plan, scores);
  const selection = grouping.groups.map((group): GroupSelection => {
    const left = plan.get(group)?.length ?? group.size;
    const reason = reasons.get(group);
    return { group, kept: left, removed: group.size - left, ...(reason !== undefined && { reason }) };
  });
  if (plan.size === 0 && wantsRemoval(options, limits, candidates)) throw nothingToPrune(selection);
  const budgets = limits
    ? budgetOutcomes(cost, limits, kept, stepsAbove(kept, candidates, alignment), count)
    : [];
  return { plan: { kept: plan }, groups: selection, ratio, budgets };
}

/** The next count that each candidate could keep; undefined for whole ones. */
export function stepsAbove(
  kept: Int32Array,
  candidates: readonly Candidate[],
  alignment: Alignment,
): (number | undefined)[] {
  return candidates.map(({ group }, i) =>
    kept[i] === group.size ? undefined : alignment.levels(i).find((level) => level > kept[i]!),
  );
}

function wantsRemoval(
  { ratio }: SelectSettings,
  limits: readonly Limit[] | undefined,
  candidates: readonly Candidate[],
): boolean {
  if (limits) return limits.some(({ limit, dense }) => dense > limit);
  return ratio! > 0 || candidates.some((candidate) => (candidate.ratio ?? 0) > 0);
}

export interface Candidates {
  readonly candidates: readonly Candidate[];
  readonly alignment: Alignment;
  /** Why a group that is no candidate stays whole; extended by what becomes of the candidates. */
  readonly reasons: Map<PruningGroup, string>;
}

export function findCandidates(
  grouping: Grouping,
  cost: Priced,
  scores: ReadonlyMap<PruningGroup, Float64Array>,
  options: SelectSettings,
): Candidates {
  const { minChannels, maxRatio } = options;
  const ratios = Object.entries(options.ratios);
  const found = prunableGroups(grouping, cost, options);
  const reasons = new Map(found.reasons);
  const carriers = found.carriers.filter((group) => {
    if (!scores.has(group)) reasons.set(group, 'the criterion has nothing to score it by');
    return scores.has(group);
  });
  for (const [glob] of ratios) checkGlobs(grouping, 'ratio of', [glob]);
  const overrides = ratios.map(([glob, ratio]) => ({ matches: nameFilter([glob]), ratio }));
  const alignment = new Alignment(cost, carriers, multipleOf(options), minChannels, maxRatio);
  const candidates = carriers.map((group, i): Candidate => {
    const names = [...memberNames(grouping, group), group.id, group.name];
    return {
      group,
      scores: withoutPinned(group, scores.get(group)!),
      least: alignment.least[i]!,
      shared: found.shared.has(group),
      ratio: overrides.find(({ matches }) => names.some(matches))?.ratio,
    };
  });
  return { candidates, alignment, reasons };
}

/** Kept counts as a function of factors, reading `kept` live; an atom counts while its channel's rank does. */
export function countOf(candidates: readonly Candidate[]): (kept: Int32Array) => SizeOf {
  const index = new Map<Factor, number>(candidates.map(({ group }, i) => [group.factor, i]));
  const ranks = new Map<number, Int32Array>();
  const rankOf = (candidate: number, channel: number): number => {
    let rank = ranks.get(candidate);
    if (!rank) ranks.set(candidate, (rank = channelRanks(candidates[candidate]!.scores)));
    return rank[channel]!;
  };
  return (kept) => (factor) => {
    const { origin } = factor;
    const candidate = index.get(origin?.factor ?? factor);
    if (candidate === undefined) return factor.size;
    if (!origin) return kept[candidate]!;
    return rankOf(candidate, origin.index) < kept[candidate]! ? 1 : 0;
  };
}

interface Search {
  readonly allocation: Allocation;
  readonly alignment: Alignment;
  readonly count: (kept: Int32Array) => SizeOf;
  readonly options: SelectSettings;
}

/** Halvings of the ratio: finer than one channel of any group. */
const steps = 40;

function withinBudget(
  grouping: Grouping,
  cost: Priced,
  limits: readonly Limit[],
  search: Search,
): Aligned & { ratio: number } {
  const { allocation, alignment, count } = search;
  const at = (ratio: number): Aligned & { ratio: number } => ({
    ...alignment.align(allocation(ratio)),
    ratio,
  });
  const fits = (kept: Int32Array): boolean => meets(cost, limits, count(kept));
  let above = at(0);
  if (fits(above.kept)) return above;
  let below = at(1);
  if (!fits(below.kept)) throw outOfReach(grouping, cost, limits, count(below.kept), search.options);
  for (let step = 0; step < steps; step++) {
    const middle = at((above.ratio + below.ratio) / 2);
    if (fits(middle.kept)) below = middle;
    else above = middle;
  }
  return { ...below, kept: giveBack(below.kept, above.kept, fits, alignment) };
}

/** One ratio steps all groups of a size at once: each group gets its step back for which there is room. */
function giveBack(
  below: Int32Array,
  above: Int32Array,
  fits: (kept: Int32Array) => boolean,
  alignment: Alignment,
): Int32Array {
  const kept = below.slice();
  for (let i = 0; i < kept.length; i++) {
    if (above[i]! <= below[i]!) continue;
    const misaligned = alignment.misaligned(i, kept);
    kept[i] = above[i]!;
    if (!fits(kept) || alignment.misaligned(i, kept) > misaligned) kept[i] = below[i]!;
  }
  return kept;
}

export function outOfReach(
  grouping: Grouping,
  cost: Priced,
  limits: readonly Limit[],
  count: SizeOf,
  options: SelectSettings,
): PruneError {
  const { limit, reached } = worstLimit(cost, limits, count);
  const percent = (value: number): string => `${((100 * value) / limit.dense).toFixed(1)} %`;
  const remedies = [`allow at least ${limit.measure}=${Math.ceil((1000 * reached) / limit.dense) / 10}%`];
  const offer = (what: string, changed: Partial<SelectSettings>): void => {
    const least = leastCost(grouping, cost, limit, { ...options, ...changed });
    if (least < reached) remedies.push(`or ${what} (reaches ${percent(least)})`);
  };
  if (!options.residualStream) offer('prune the residual stream too', { residualStream: true });
  if (options.maxRatio < 1) offer(`let groups lose more than ${100 * options.maxRatio} %`, { maxRatio: 1 });
  return new PruneError(
    'budget',
    `budget ${limit.text} can't be met: pruning reaches ${percent(reached)} of the dense ${limit.measure}; ${remedies.join(' ')}`,
  );
}

/** What is left to pay when every group is at its minimum. */
function leastCost(grouping: Grouping, cost: Priced, { measure }: Limit, options: SelectSettings): number {
  const { carriers } = prunableGroups(grouping, cost, options);
  const { least } = new Alignment(cost, carriers, multipleOf(options), options.minChannels, options.maxRatio);
  const floors = new Map(carriers.map(({ factor }, i) => [factor, least[i]!]));
  return costOf(cost, measure, (factor) => floors.get(factor) ?? factor.size);
}

export function nothingToPrune(groups: readonly GroupSelection[]): PruneError {
  const tally = new Map<string, number>();
  for (const { reason } of groups) if (reason) tally.set(reason, (tally.get(reason) ?? 0) + 1);
  const main = [...tally].sort((a, b) => b[1] - a[1]).slice(0, 3);
  const why = main.map(([reason, count]) => `${reason} (${count} group${count > 1 ? 's' : ''})`).join('; ');
  return new PruneError(
    'nothing-to-prune',
    `nothing to prune: ${why || 'the model has no free channels'}; relax these options, or see 'prune inspect'`,
  );
}

function round(ratio: number): number {
  return Math.round(1000 * ratio) / 1000;
}
