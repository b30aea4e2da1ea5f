import type { Analysis } from '../analysis/analyze.js';
import { resolveCriterion } from '../criteria/resolve.js';
import { PruneError, throwIfAborted } from '../errors.js';
import type { PruningGroup } from '../groups/group.js';
import { keptCount, type Plan } from '../plan/plan.js';
import { intersect, scheduleOf, targetAt } from '../schedule/schedule.js';
import { costOf, limitsOf, type BudgetOutcome, type Priced } from '../select/budget.js';
import { selectKnapsack } from '../select/knapsack.js';
import { fastMultiples } from '../select/multiples.js';
import { select, type KnapsackOutcome, type Selection } from '../select/select.js';
import { Importance } from './importance.js';
import type { PipelineOptions } from '../options/resolve.js';
import { judgedApart, selectByTrials } from './plan-trials.js';
import type { PlanTrial } from './result.js';

/** Which channels stay, and how that came about. */
export interface Choice {
  readonly plan: Plan;
  /** Why a group lost less than asked for. */
  readonly notes: ReadonlyMap<PruningGroup, string>;
  readonly budgets: readonly BudgetOutcome[];
  readonly knapsack: KnapsackOutcome | undefined;
  /** Plans that were tried whole; empty where none was. */
  readonly trials: readonly PlanTrial[];
  readonly warnings: readonly string[];
}

export function choiceOf(plan: Plan, budgets: readonly BudgetOutcome[] = []): Choice {
  return { plan, notes: new Map(), budgets, knapsack: undefined, trials: [], warnings: [] };
}

/** Chooses channels of a model by their importance, for one target or for many: the whole model is measured once. To be released. */
export class ChannelChooser {
  private readonly importance: Importance;

  /** @param losses as a draft gives them */
  constructor(
    private readonly analysis: Analysis,
    losses: ReadonlyMap<string, Float64Array>,
    options: PipelineOptions,
  ) {
    const { loss, aggregation, normalization, seed, signal, weightSums, onProgress } = options;
    // Losses that are judged on examples may not have been measured on them.
    const data =
      options.select === 'measured' ? options.data && judgedApart(options.data).rest : options.data;
    const progress = (detail?: string) => (done: number, total?: number) =>
      onProgress?.({ phase: 'score', done, total: total ?? done, ...(detail !== undefined && { detail }) });
    this.importance = new Importance(analysis, {
      criterion: resolveCriterion(options.criterion),
      ...{ weightSums, data, loss, aggregation, normalization, seed, signal, losses },
      onGroup: progress(),
      onBatch: progress('examples'),
    });
  }

  /**
   * In as many steps as the options ask for, scores taken anew after each; by what is lost at the output where that is
   * measured. Rounds to what kernels like best unless the options say otherwise, or too little could go then.
   */
  async choose(cost: Priced, options: PipelineOptions): Promise<Choice> {
    return roundedFast(cost, options, (rounded) => this.chosen(cost, rounded));
  }

  private async chosen(cost: Priced, options: PipelineOptions): Promise<Choice> {
    const { grouping } = this.analysis;
    if (options.select === 'measured') {
      const { selection, trials } = await selectByTrials(this.analysis, cost, options, this.importance);
      return { ...this.choiceOf(selection), trials };
    }
    const shares = scheduleOf(options.steps, options.schedule);
    const method = options.select === 'knapsack' ? selectKnapsack : select;
    let plan: Plan = { kept: new Map() };
    let selection: Selection | undefined;
    for (const share of shares) {
      throwIfAborted(options.signal);
      const scores = await this.importance.score(plan);
      try {
        selection = await method(grouping, cost, scores, targetAt(options, share, cost));
      } catch (error) {
        // The first steps may be smaller than one channel.
        if (share < 1 && error instanceof PruneError && error.code === 'nothing-to-prune') continue;
        throw error;
      }
      plan = intersect(selection.plan, plan);
    }
    if (!selection) throw new PruneError('internal', 'no step selected anything; report this');
    return this.choiceOf({ ...selection, plan });
  }

  private choiceOf({ plan, groups, budgets, knapsack }: Selection): Choice {
    const notes = new Map<PruningGroup, string>();
    for (const { group, reason } of groups) if (reason !== undefined) notes.set(group, reason);
    return { plan, notes, budgets, knapsack, trials: [], warnings: this.importance.warnings() };
  }

  async release(): Promise<void> {
    await this.importance.release();
  }
}

/** Chooses in multiples that kernels like best, where the options leave that open; one by one if too little could go then. */
export async function roundedFast<Result>(
  cost: Priced,
  options: PipelineOptions,
  choose: (options: PipelineOptions) => Result | Promise<Result>,
): Promise<Result> {
  if (options.roundTo !== 'fast') return choose(options);
  const multiples = fastMultiples(options.provider, askedShare(options, cost));
  try {
    return await choose({ ...options, multiples });
  } catch (error) {
    const isTooCoarse =
      error instanceof PruneError && (error.code === 'budget' || error.code === 'nothing-to-prune');
    if (!isTooCoarse) throw error;
    return choose({ ...options, roundTo: 1 });
  }
}

/** Share of the channels of each group that goes if all lose the same, about: costs fall with its square. */
function askedShare({ ratio, budget }: PipelineOptions, cost: Priced): number {
  if (ratio !== undefined || budget === undefined) return ratio ?? 0;
  return Math.max(0, ...limitsOf(budget, cost).map(({ limit, dense }) => 1 - Math.sqrt(limit / dense)));
}

/** A choice with other groups whole as well. */
export function withWhole(
  { notes, budgets, ...choice }: Choice,
  plan: Plan,
  cost: Priced,
  whole: readonly PruningGroup[],
): Choice {
  const count = keptCount(plan);
  return {
    ...choice,
    plan,
    notes: new Map([...notes, ...whole.map((group) => [group, 'cutting it saved no time'] as const)]),
    budgets: budgets
      .filter(({ measure }) => measure !== 'latency')
      .map((budget) => ({ ...budget, reached: costOf(cost, budget.measure, count) })),
  };
}
