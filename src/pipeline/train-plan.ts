import type { Analysis } from '../analysis/analyze.js';
import type { AnalyzeOptions } from '../options/analyze.js';
import { plannedBases, planFromFile } from '../plan/file.js';
import { keptMasks } from '../plan/plan.js';
import { pruneDepth } from './depth.js';
import { advance, draftOf } from './stage.js';
import type { Slicing } from './train.js';

/**
 * What a plan file says of how a model was sliced.
 * @param json a plan file's content
 * @throws PruneError `invalid-option` for a plan of another model.
 */
export async function slicingOf(dense: Analysis, json: unknown, options: AnalyzeOptions): Promise<Slicing> {
  const { signal, shapes, axisRules, allowIo } = options;
  const asked = { plan: json, runtime: dense.runtime, signal, shapes, axisRules, allowIo };
  const { analysis } = await advance(draftOf(dense), { phase: 'depth', run: pruneDepth }, asked);
  return { analysis, masks: keptMasks(planFromFile(json, analysis.grouping)), rotated: plannedBases(json) };
}
