import type { Analysis } from '../analysis/analyze.js';
import type { CommonOptions } from '../options/common.js';
import { keptMasks, type Plan } from '../plan/plan.js';
import { rewriteModel, type RewriteResult } from '../rewrite/rewrite.js';
import { variationOf } from '../shapes/variation.js';
import type { Draft, StageOutcome } from './stage.js';

/**
 * Removes the channels of the plan. What is left must compute what the model did with those channels masked.
 * @throws PruneError `unsupported` for a size that can't be corrected.
 */
export async function removeChannels(
  { analysis, plan }: Draft,
  options: Pick<CommonOptions, 'signal' | 'onProgress'>,
): Promise<StageOutcome | undefined> {
  if (plan.kept.size === 0) return undefined;
  const { model, nodes } = await rewritten(analysis, plan, options);
  return {
    draft: { model },
    claim: { reference: analysis.model, masks: keptMasks(plan) },
    planFile: { addedNodes: nodes.added, removedNodes: nodes.removed },
  };
}

/** The analysed model without the channels that a plan removes, in the form of a file. */
export async function rewritten(
  { model, canonical, axes, shapes, runtime }: Analysis,
  plan: Plan,
  { signal, onProgress }: Pick<CommonOptions, 'signal' | 'onProgress'>,
): Promise<RewriteResult> {
  onProgress?.({ phase: 'rewrite', done: 0, total: 1 });
  const result = await rewriteModel({
    analysis: axes,
    masks: keptMasks(plan),
    model,
    shapeOf: (value) => shapes.of(value),
    variation: () => variationOf(model, shapes, runtime, signal),
    runtime,
  });
  return { ...result, model: canonical.restore(result.model) };
}
