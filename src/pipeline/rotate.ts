import { analyze, type Analysis } from '../analysis/analyze.js';
import { rotate } from '../rotation/rotate.js';
import { firstFeeds } from '../data/feeds.js';
import type { PruneSettings } from '../options/resolve.js';
import { plannedBases } from '../plan/file.js';
import { PruneError } from '../errors.js';
import type { VerifyReport } from '../verify/report.js';
import { verify } from '../verify/verify.js';

/** A model whose linear channels are given another basis, and what it was made from. */
export interface Rotation {
  readonly before: Analysis;
  readonly analysis: Analysis;
  /** What removing each channel costs, by the group's id: ascending indices cost less and less. */
  readonly losses: ReadonlyMap<string, Float64Array>;
}

/**
 * Sorts the channels of linear flows by what they are worth, where weights are solved for anyway: unless the options say
 * otherwise, or a plan that was made without.
 * @throws PruneError `invalid-option` for a plan that was made with another basis where there is no data to find it again.
 */
export async function rotateChannels(
  analysis: Analysis,
  options: PruneSettings,
): Promise<Rotation | undefined> {
  const { data, plan, seed, signal, onProgress } = options;
  const planned = plannedBases(plan);
  const isAsked = plan === undefined ? solvesForWeights(options) : planned.length > 0;
  if (!isAsked) return undefined;
  if (!data || !solvesForWeights({ ...options, rotation: true }))
    throw new PruneError(
      'invalid-option',
      'the plan was made in another basis of some channels; give the data and the options that it was made with',
    );
  const { grouping, shapes, runtime, canonical } = analysis;
  const rotated = await rotate({
    ...{ grouping, shapes, runtime, data, seed, signal },
    groups: plan === undefined ? undefined : new Set(planned),
    onBatch: (done) =>
      onProgress?.({ phase: 'rotation', done, total: data.count ?? done, detail: 'examples' }),
  });
  if (!rotated) return undefined;
  // Groups keep their ids: only the elements of weights differ.
  const losses = new Map([...rotated.losses].map(([{ id }, list]) => [id, list]));
  return { before: analysis, analysis: await analyze(canonical.restore(rotated.model), options), losses };
}

function solvesForWeights({ rotation, data, reconstruct }: PruneSettings): boolean {
  return (
    rotation && data !== undefined && reconstruct !== false && (reconstruct.repair ?? 'weights') === 'weights'
  );
}

/** Proves that the model in the other basis puts out what it did before. */
export async function proveRotation(
  { before, analysis }: Rotation,
  { verifyData, seed, signal, onProgress }: PruneSettings,
): Promise<VerifyReport> {
  const { model, axes, shapes, runtime, canonical } = before;
  return verify({
    ...{ analysis: axes, masks: new Map(), shapes, runtime, seed, signal },
    dense: model,
    pruned: analysis.model,
    folded: canonical.hasBodies
      ? { pruned: analysis.canonical.restore(analysis.model), fold: canonical.restore }
      : undefined,
    // What is in between is in another basis.
    level: 'outputs',
    feeds: verifyData && (await firstFeeds(verifyData)),
    onProgress: (done, total, detail) => onProgress?.({ phase: 'verify', done, total, detail }),
  });
}
