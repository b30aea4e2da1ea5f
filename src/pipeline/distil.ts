import { PruneError } from '../errors.js';
import { keptMasks } from '../plan/plan.js';
import type { PipelineOptions } from '../options/resolve.js';
import type { Draft, StageOutcome } from './stage.js';
import { TrainingDiverged } from '../training/train.js';
import { trainModel } from './train.js';

/**
 * Trains what is left towards the dense model. The surgery was proved before; what the model computes now changes on
 * purpose.
 * @throws PruneError `invalid-option` without data, and what training throws.
 */
export async function distilWeights(
  { dense, analysis, plan, model, done }: Draft,
  options: PipelineOptions,
): Promise<StageOutcome | undefined> {
  const { distil, ...common } = options;
  if (distil === undefined || distil === false) return undefined;
  const { data = options.data, ...settings } = distil === true ? {} : distil;
  if (!data) throw new PruneError('invalid-option', 'distillation needs data; give data, or leave it out');
  const rotated = done.flatMap(({ planFile }) => planFile?.bases ?? []);
  const { shapes, axisRules, runtime, signal, onProgress, provider, threads, seed } = common;
  const trained = await trainModel(dense, model, {
    ...{ provider, threads, seed, ...settings },
    ...{ shapes, axisRules, runtime, signal, onProgress, data },
    slicing: { analysis, masks: keptMasks(plan), rotated },
  }).catch((error: unknown) => {
    // What was best before is worth keeping; the report says how training ended.
    if (error instanceof TrainingDiverged) return error.trained;
    throw error;
  });
  const { message } = trained.report;
  return {
    draft: { model: trained.model },
    report: { training: trained.report, ...(message !== undefined && { warnings: [message] }) },
    planFile: { weightsChanged: true, weightsTrained: trained.report.kept > 0 },
  };
}
