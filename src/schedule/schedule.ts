import type { CostModel } from '../cost/cost.js';
import type { PruningGroup } from '../groups/group.js';
import type { Plan } from '../plan/plan.js';
import { limitsOf } from '../select/budget.js';
import type { SelectSettings } from '../select/options.js';

/** How the share that is removed grows over the steps. */
export type Schedule = (typeof schedules)[number];

export const schedules = ['linear', 'cubic'] as const;

/**
 * Share of the target at each of `steps` steps, ascending, the last one 1. `cubic` removes most at the start:
 * 1 − (1 − t/k)³, Zhu and Gupta, "To Prune, or Not to Prune", 2017.
 */
export function scheduleOf(steps: number, schedule: Schedule): number[] {
  return Array.from({ length: steps }, (_, i) => {
    const share = (i + 1) / steps;
    return schedule === 'linear' ? share : 1 - (1 - share) ** 3;
  });
}

/** What both plans keep: a step never brings back what an earlier one removed. */
export function intersect(plan: Plan, earlier: Plan): Plan {
  const kept = new Map<PruningGroup, Int32Array>(earlier.kept);
  for (const [group, channels] of plan.kept) {
    const before = earlier.kept.get(group);
    const left = before ? new Set(before) : undefined;
    kept.set(group, left ? channels.filter((channel) => left.has(channel)) : channels);
  }
  return { kept };
}

type Target = Partial<Pick<SelectSettings, 'ratio' | 'ratios' | 'budget'>>;

/** The part of the selection's target that a step aims at. Absolute budgets shrink from the dense cost. */
export function targetAt<Settings extends Target>(
  options: Settings,
  share: number,
  cost: CostModel,
): Settings {
  if (share === 1) return options;
  const { ratio, ratios, budget } = options;
  return {
    ...options,
    ...(ratio !== undefined && { ratio: ratio * share }),
    ...(ratios && {
      ratios: Object.fromEntries(Object.entries(ratios).map(([glob, own]) => [glob, own * share])),
    }),
    ...(budget && {
      budget: Object.fromEntries(
        limitsOf(budget, cost).map(({ measure, limit, dense }) => [
          measure,
          String(Math.ceil(dense - (dense - limit) * share)),
        ]),
      ),
    }),
  };
}
