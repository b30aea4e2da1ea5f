import { analyze } from '../analysis/analyze.js';
import { PruneError } from '../errors.js';
import { plannedBases } from '../plan/file.js';
import { rotate } from '../rotation/rotate.js';
import { rotates, type PipelineOptions } from '../options/resolve.js';
import type { Draft, StageOutcome } from './stage.js';

/**
 * Sorts the channels of linear flows by what they are worth, where weights are solved for anyway: unless the options say
 * otherwise, or a plan that was made without. The model puts out what it did before.
 * @throws PruneError `invalid-option` for a plan that was made with another basis where there is no data to find it again.
 */
export async function rotateChannels(
  { analysis: before }: Draft,
  options: PipelineOptions,
): Promise<StageOutcome | undefined> {
  const { data, plan, seed, signal, onProgress } = options;
  const planned = plannedBases(plan);
  const isAsked = plan === undefined ? rotates(options) : planned.length > 0;
  if (!isAsked) return undefined;
  if (!data || !rotates({ ...options, rotation: true }))
    throw new PruneError(
      'invalid-option',
      'the plan was made in another basis of some channels; give the data and the options that it was made with',
    );
  const { grouping, shapes, runtime, canonical } = before;
  const rotated = await rotate({
    ...{ grouping, shapes, runtime, data, seed, signal },
    groups: plan === undefined ? undefined : new Set(planned),
    onBatch: (done) =>
      onProgress?.({ phase: 'rotation', done, total: data.count ?? done, detail: 'examples' }),
  });
  if (!rotated) return undefined;
  // Groups keep their ids: only the elements of weights differ.
  const losses = new Map([...rotated.losses].map(([{ id }, list]) => [id, list]));
  const analysis = await analyze(canonical.restore(rotated.model), options);
  return {
    draft: { analysis, losses, model: analysis.canonical.restore(analysis.model) },
    // What is in between is in another basis.
    claim: { reference: before.model, masks: new Map(), weights: 'equivalent', upTo: 'outputs' },
    report: { rotated: grouping.groups.filter(({ id }) => losses.has(id)).map(({ name }) => name) },
    planFile: { bases: [...losses.keys()] },
  };
}
