import { analyze, type Analysis } from './analyze.js';
import { rebase } from './basis/rebase.js';
import { firstFeeds } from './data/feeds.js';
import type { PruneOptions } from './options.js';
import { plannedBases } from './plan/file.js';
import { PruneError } from './errors.js';
import type { Runtime } from './runtime/runtime.js';
import type { VerifyReport } from './verify/report.js';
import { verify } from './verify/verify.js';

/** A model whose linear channels are given another basis, and what it was made from. */
export interface Rebasing {
  readonly before: Analysis;
  readonly analysis: Analysis;
  /** What removing each channel costs, by the group's id: ascending indices cost less and less. */
  readonly losses: ReadonlyMap<string, Float64Array>;
}

type Options = PruneOptions & { readonly runtime: Runtime };

/**
 * Sorts the channels of linear flows by what they are worth, where weights are solved for anyway: unless the options say
 * otherwise, or a plan that was made without.
 * @throws PruneError `invalid-option` for a plan that was made with another basis where there is no data to find it again.
 */
export async function rebaseChannels(analysis: Analysis, options: Options): Promise<Rebasing | undefined> {
  const { data, plan, seed, signal, onProgress } = options;
  const planned = plannedBases(plan);
  const isAsked = plan === undefined ? solvesForWeights(options) : planned.length > 0;
  if (!isAsked) return undefined;
  if (!data || !solvesForWeights({ ...options, basis: true }))
    throw new PruneError(
      'invalid-option',
      'the plan was made in another basis of some channels; give the data and the options that it was made with',
    );
  const { grouping, shapes, runtime, unfolding } = analysis;
  const rebased = await rebase({
    ...{ grouping, shapes, runtime, data, seed, signal },
    groups: plan === undefined ? undefined : new Set(planned),
    onBatch: (done) => onProgress?.({ phase: 'basis', done, total: data.count ?? done, detail: 'examples' }),
  });
  if (!rebased) return undefined;
  // Groups keep their ids: only the elements of weights differ.
  const losses = new Map([...rebased.losses].map(([{ id }, list]) => [id, list]));
  return { before: analysis, analysis: await analyze(unfolding.fold(rebased.model), options), losses };
}

function solvesForWeights({ basis = true, data, reconstruct = false }: Partial<PruneOptions>): boolean {
  const { repair = 'weights' } = typeof reconstruct === 'object' ? reconstruct : {};
  return basis && data !== undefined && reconstruct !== false && repair === 'weights';
}

/** Proves that the model in the other basis puts out what it did before. */
export async function proveRebasing(
  { before, analysis }: Rebasing,
  { verifyData, seed = 0, signal, onProgress }: Options,
): Promise<VerifyReport> {
  const { model, axes, shapes, runtime, unfolding } = before;
  return verify({
    ...{ analysis: axes, masks: new Map(), shapes, runtime, seed, signal },
    dense: model,
    pruned: analysis.model,
    folded: unfolding.hasBodies
      ? { pruned: analysis.unfolding.fold(analysis.model), fold: unfolding.fold }
      : undefined,
    // What is in between is in another basis.
    level: 'outputs',
    feeds: verifyData && (await firstFeeds(verifyData)),
    onProgress: (done, total, detail) => onProgress?.({ phase: 'verify', done, total, detail }),
  });
}
