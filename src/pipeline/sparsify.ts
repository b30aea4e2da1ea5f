import { analyze } from '../analysis/analyze.js';
import { PruneError } from '../errors.js';
import type { PruningGroup } from '../groups/group.js';
import type { Plan } from '../plan/plan.js';
import { targetAt } from '../schedule/schedule.js';
import type { BudgetOutcome } from '../select/budget.js';
import { select } from '../select/select.js';
import type { ChannelScores, Keeps } from '../training/recipes/recipe.js';
import { resolveRecipe } from '../training/recipes/resolve.js';
import { trainStudent } from '../training/train.js';
import { choiceOf, roundedFast } from './choose.js';
import type { PipelineOptions } from '../options/resolve.js';
import { groupOutcomes } from './select.js';
import type { Draft, StageOutcome } from './stage.js';
import { progressOf } from './train.js';

/**
 * Trains the model before any channel is removed, by a recipe that prunes on the way: it starts from the channels that
 * were chosen, and says which ones stay.
 * @throws PruneError `invalid-option` without data, and what training throws.
 */
export async function pruneWhileTraining(
  { dense, analysis, plan }: Draft,
  options: PipelineOptions,
): Promise<StageOutcome | undefined> {
  const { recipe, distil, runtime, signal, onProgress, provider, threads, seed } = options;
  if (recipe === undefined) return undefined;
  const { data = options.data, ...settings } = typeof distil === 'object' ? distil : {};
  if (!data) throw new PruneError('invalid-option', 'pruning while training needs data; give data');
  if (options.roundTo === 'auto')
    throw new PruneError('invalid-option', "a recipe can't measure multiples; give round to a number, or leave it out"); // prettier-ignore
  if (options.plan !== undefined || (options.ratio === undefined && options.budget === undefined))
    throw new PruneError('invalid-option', 'a recipe chooses channels itself; give a ratio or a budget');
  const { grouping, cost, axes, canonical } = analysis;
  let budgets: readonly BudgetOutcome[] = [];
  const choose = async (scores: ChannelScores, share: number): Promise<Keeps> => {
    // Groups without weights that train have channels of equal worth.
    const all = new Map(grouping.groups.map((group) => [group, scores.get(group) ?? new Float64Array(group.size).fill(1)])); // prettier-ignore
    try {
      const selection = await roundedFast(cost, options, (rounded) =>
        select(grouping, cost, all, targetAt(rounded, share, cost)),
      );
      budgets = selection.budgets;
      return keepsOf(selection.plan);
    } catch (error) {
      // The first steps may be smaller than one channel.
      if (share < 1 && error instanceof PruneError && error.code === 'nothing-to-prune') return new Map();
      throw error;
    }
  };
  const { model, report, keeps } = await trainStudent({
    ...{ provider, threads, seed, ...settings, checkpoint: undefined, resume: undefined },
    ...{ runtime, signal, data, onProgress: progressOf(onProgress, 'sparsify') },
    teacher: dense.model,
    student: axes,
    sparse: {
      recipe: resolveRecipe(recipe),
      grouping,
      chosen: keepsOf(plan),
      choose,
    },
  });
  const file = canonical.restore(model);
  const again = await analyze(file, options);
  // Groups keep their ids: only the elements of weights differ.
  const byId = new Map(again.grouping.groups.map((group) => [group.id, group]));
  const kept = new Map([...keeps!].map(([{ id }, keep]) => [byId.get(id)!, keptIndices(keep)]));
  const final: Plan = { kept };
  const groups = groupOutcomes(again.grouping, choiceOf(final));
  return {
    draft: { analysis: again, plan: final, model: file },
    report: { sparsification: report, groups, ...(budgets.length > 0 && { budgets }) },
    planFile: { weightsChanged: true, weightsTrained: true },
  };
}

function keepsOf({ kept }: Plan): Keeps {
  return new Map(
    [...kept].map(([group, indices]): [PruningGroup, Uint8Array] => {
      const keep = new Uint8Array(group.size);
      for (const index of indices) keep[index] = 1;
      return [group, keep];
    }),
  );
}

function keptIndices(keep: Uint8Array): Int32Array {
  return Int32Array.from(Array.from(keep.keys()).filter((index) => keep[index] === 1));
}
