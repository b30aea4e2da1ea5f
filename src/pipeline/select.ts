import { relativeTo, type CostModel, type SizeOf } from '../cost/cost.js';
import type { Grouping } from '../groups/group.js';
import { planFromFile } from '../plan/file.js';
import { costOf, limitsOf, meets, type BudgetOption } from '../select/budget.js';
import { ChannelChooser, choiceOf, type Choice } from './choose.js';
import { searchByLatency } from './latency-search.js';
import { needsMeasurement, type PipelineOptions } from '../options/resolve.js';
import type { GroupOutcome, LatencyOutcome } from './result.js';
import type { Draft, StageOutcome } from './stage.js';

/**
 * Says which channels go; none where the options are about depth alone.
 * @throws PruneError `budget`, `nothing-to-prune`, `invalid-option`, and what measuring throws.
 */
export async function selectChannels(draft: Draft, options: PipelineOptions): Promise<StageOutcome> {
  const { choice, latency } = await choose(draft, options);
  const { plan, budgets, knapsack, trials, warnings } = choice;
  const groups = groupOutcomes(draft.analysis.grouping, choice);
  return { draft: { plan }, report: { groups, budgets, knapsack, trials, latency, warnings } };
}

/** By measurement where the options ask for it. */
async function choose(
  draft: Draft,
  options: PipelineOptions,
): Promise<{ readonly choice: Choice; readonly latency?: LatencyOutcome }> {
  const { analysis, dense, losses, done } = draft;
  const { ratio, budget, plan } = options;
  if (plan !== undefined) return { choice: choiceOf(planFromFile(plan, analysis.grouping)) };
  if (ratio === undefined && budget === undefined) return { choice: choiceOf(draft.plan) };
  // Budgets are shares of the dense model, which may have had more branches.
  const isShorter = done.some(({ phase }) => phase === 'depth');
  const cost = isShorter ? relativeTo(dense.cost, analysis.cost) : analysis.cost;
  const whole = isShorter && budget && withinBudget(draft, cost, budget);
  if (whole) return { choice: whole };
  const chooser = new ChannelChooser(analysis, losses, options);
  try {
    if (needsMeasurement(options)) return await searchByLatency(analysis, chooser, options);
    return { choice: await chooser.choose(cost, options) };
  } finally {
    await chooser.release();
  }
}

/** Every channel, where that already is within the budget; else undefined. */
function withinBudget({ plan }: Draft, cost: CostModel, budget: BudgetOption): Choice | undefined {
  const limits = limitsOf(budget, cost);
  const whole: SizeOf = ({ size }) => size;
  if (!meets(cost, limits, whole)) return undefined;
  return choiceOf(
    plan,
    limits.map((limit) => ({ ...limit, reached: costOf(cost, limit.measure, whole), nextAbove: undefined })),
  );
}

/** What became of each group. */
export function groupOutcomes({ groups }: Grouping, { plan, notes }: Choice): GroupOutcome[] {
  return groups.map((group) => {
    const { id, name, size } = group;
    return { id, name, size, kept: plan.kept.get(group)?.length ?? size, note: notes.get(group) };
  });
}
