import type { Analysis } from '../analysis/analyze.js';
import type { DataSource } from '../data/batch.js';
import { examplesOf } from '../data/slices.js';
import { PruneError, throwIfAborted } from '../errors.js';
import type { PruningGroup } from '../groups/group.js';
import type { Model } from '../onnx/model.js';
import type { Plan } from '../plan/plan.js';
import { selectKnapsack } from '../select/knapsack.js';
import type { Priced } from '../select/budget.js';
import { select, type Selection } from '../select/select.js';
import { OutputError } from '../statistics/output-error.js';
import type { Importance } from './importance.js';
import { scaledLosses } from './loss-scales.js';
import type { PipelineOptions } from '../options/resolve.js';
import type { PlanTrial } from './result.js';
import { reconstructWeights } from './reconstruct.js';
import { removeChannels } from './rewrite.js';
import { advance, draftOf } from './stage.js';

/** Examples that plans are judged on, at most, and the share of all that they may be. */
const judged = { examples: 64, share: 0.25 };

/** Examples that weights are solved on while plans are tried, at most. */
const solvedOn = 256;

/** How many times as much as one share for all a group may lose by a plan that stays near to that. */
const nearest = 1.8;

/** Examples of a batch that is run. */
const batchSize = 16;

/**
 * Shares a budget out by what is lost at the output: losses of groups are put on one scale by measurement, and the plan
 * that follows is tried whole beside the plain ones (one share for all; losses as the layers have them). The one with the
 * least error on examples that nothing was solved on is taken.
 */
export async function selectByTrials(
  analysis: Analysis,
  cost: Priced,
  options: PipelineOptions,
  importance: Importance,
): Promise<{ readonly selection: Selection; readonly trials: readonly PlanTrial[] }> {
  const { grouping, runtime } = analysis;
  const { signal } = options;
  const data = options.data!;
  const scores = await importance.score({ kept: new Map() });
  const layers = await selectKnapsack(grouping, cost, scores, options);
  const { held, rest } = judgedApart(data);
  const dense = analysis.canonical.restore(analysis.model);
  const outputError = held && (await OutputError.open(dense, held, runtime, signal));
  const uniform = await attempt(() => select(grouping, cost, scores, { ...options, scope: 'local' }));
  if (!outputError || !uniform) return { selection: layers, trials: [] };
  const scaled = await scaledLosses(analysis, {
    ...{ scores, hessians: importance.hessians, outputError, signal },
    kept: keptBy(uniform),
    onGroup: (done, total) =>
      options.onProgress?.({ phase: 'score', done, total, detail: 'groups at the output' }),
  });
  // Losses that add up say little of deep cuts.
  const near = Math.min(options.maxRatio, nearest * uniform.ratio);
  const candidates: (readonly [PlanTrial['name'], Selection | undefined])[] = [
    ['scaled', await attempt(() => selectKnapsack(grouping, cost, scaled, options))],
    ['near', await attempt(() => selectKnapsack(grouping, cost, scaled, { ...options, maxRatio: near }))],
    ['uniform', uniform],
    ['layers', layers],
  ];
  const trials: {
    readonly name: PlanTrial['name'];
    readonly error: number;
    readonly selection: Selection;
  }[] = [];
  for (const [name, selection] of candidates) {
    throwIfAborted(signal);
    if (!selection) continue;
    const error = await outputError.of(
      await build(analysis, selection.plan, { ...options, data: examplesOf(rest, 0, solvedOn) }),
    );
    trials.push({ name, selection, error });
    options.onProgress?.({ phase: 'score', done: trials.length, total: candidates.length, detail: 'plans' });
  }
  const best = trials.reduce((a, b) => (b.error < a.error ? b : a));
  return {
    selection: best.selection,
    trials: trials.map(({ name, error, selection }) => ({
      name,
      error,
      chosen: selection === best.selection,
    })),
  };
}

/** The model that a plan makes, its weights solved for. */
async function build(analysis: Analysis, plan: Plan, options: PipelineOptions): Promise<Model> {
  const quiet = { ...options, onProgress: undefined };
  const solved = await advance(
    { ...draftOf(analysis), plan },
    { phase: 'reconstruct', run: reconstructWeights },
    quiet,
  );
  return (await advance(solved, { phase: 'rewrite', run: removeChannels }, quiet)).model;
}

/** The last examples to judge on, those before to solve on; nothing to judge on where there are too few. */
export function judgedApart(data: DataSource): {
  readonly held: DataSource | undefined;
  readonly rest: DataSource;
} {
  const { count } = data;
  const held = Math.min(judged.examples, Math.floor((count ?? 0) * judged.share));
  if (count === undefined || held === 0) return { held: undefined, rest: data };
  return {
    held: examplesOf(data, count - held, count, batchSize),
    rest: examplesOf(data, 0, count - held),
  };
}

function keptBy({ groups }: Selection): ReadonlyMap<PruningGroup, number> {
  return new Map(groups.filter(({ removed }) => removed > 0).map(({ group, kept }) => [group, kept]));
}

/** Undefined where a plan of this kind can't meet the budget. */
async function attempt(choose: () => Selection | Promise<Selection>): Promise<Selection | undefined> {
  try {
    return await choose();
  } catch (error) {
    if (error instanceof PruneError && (error.code === 'budget' || error.code === 'nothing-to-prune'))
      return undefined;
    throw error;
  }
}
