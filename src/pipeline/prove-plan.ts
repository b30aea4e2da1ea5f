import type { Analysis } from '../analysis/analyze.js';
import type { Model } from '../onnx/model.js';
import type { AnalyzeOptions } from '../options/analyze.js';
import { hasChangedWeights, planFromFile } from '../plan/file.js';
import { keptMasks } from '../plan/plan.js';
import type { VerifyReport } from '../verify/report.js';
import { pruneDepth } from './depth.js';
import { prove, type ProofOptions } from './prove.js';
import { advance, draftOf, type StageOutcome } from './stage.js';

export type PlanProofOptions = Omit<AnalyzeOptions, 'runtime'> & ProofOptions;

/**
 * Proves that a file computes what the stages of a plan make of a dense model. Where the plan says that weights were
 * changed too, values can't be held against those that were sliced, which are in no file: the structure is proved, with
 * weights re-drawn alike in both models.
 * @param dense with the options that the plan was made with
 * @param json a plan file's content
 * @throws PruneError `invalid-option` for a plan of another model.
 */
export async function provePlan(
  dense: Analysis,
  pruned: Model,
  json: unknown,
  options: PlanProofOptions,
): Promise<VerifyReport> {
  const { signal, shapes, axisRules, allowIo } = options;
  const asked = { plan: json, runtime: dense.runtime, signal, shapes, axisRules, allowIo };
  const shortened = await advance(draftOf(dense), { phase: 'depth', run: pruneDepth }, asked);
  const { model, grouping } = shortened.analysis;
  const plan = planFromFile(json, grouping);
  const weights = hasChangedWeights(json) ? 'changed' : 'sliced';
  const outcome: StageOutcome = {
    draft: { plan, model: pruned },
    claim: { reference: model, masks: keptMasks(plan), weights },
  };
  const run = () => Promise.resolve(outcome);
  const { done } = await advance(shortened, { phase: 'rewrite', run }, asked);
  return prove(done, options);
}
