import { analyze } from '../analysis/analyze.js';
import { PruneError } from '../errors.js';
import { keptMasks } from '../plan/plan.js';
import { reconstruct } from '../reconstruct/reconstruct.js';
import type { PipelineOptions } from '../options/resolve.js';
import type { Draft, StageOutcome } from './stage.js';

/**
 * Solves for the weights that make up for the channels of the plan. What the model computes changes on purpose: there is
 * nothing to prove.
 * @throws PruneError what reconstructing throws.
 */
export async function reconstructWeights(
  { analysis, plan }: Draft,
  options: PipelineOptions,
): Promise<StageOutcome | undefined> {
  if (!options.reconstruct || plan.kept.size === 0) return undefined;
  const { data, seed, signal, onProgress } = options;
  if (!data) throw new PruneError('internal', 'reconstruction was planned without data; report this');
  const { axes, shapes, runtime, canonical } = analysis;
  const { model, addedBiases, repair, layers, left } = await reconstruct({
    seed,
    ...options.reconstruct,
    analysis: axes,
    masks: keptMasks(plan),
    model: analysis.model,
    shapes,
    runtime,
    data,
    signal,
    onProgress: (done, total, detail) => onProgress?.({ phase: 'reconstruct', done, total, detail }),
  });
  const file = canonical.restore(model);
  const outcome: StageOutcome = {
    report: { reconstruction: { repair, data: data.description, layers, left } },
    planFile: { weightsChanged: true },
  };
  if (!addedBiases) return { ...outcome, draft: { analysis: { ...analysis, model }, model: file } };
  // Groups keep their ids: a new bias shares its axis with the weight before it.
  const again = await analyze(file, options);
  const byId = new Map(again.grouping.groups.map((group) => [group.id, group]));
  const kept = new Map([...plan.kept].map(([{ id }, indices]) => [byId.get(id)!, indices]));
  return { ...outcome, draft: { analysis: again, plan: { kept }, model: file } };
}
