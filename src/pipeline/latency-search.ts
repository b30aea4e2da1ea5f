import type { Analysis } from '../analysis/analyze.js';
import { PruneError } from '../errors.js';
import type { PruningGroup } from '../groups/group.js';
import type { LatencyModel, LatencyOptions } from '../latency/latency.js';
import { tryOut, type Patience } from '../latency/trial.js';
import { keptCount, type Plan } from '../plan/plan.js';
import { limitsOf, meets, type Priced } from '../select/budget.js';
import { withWhole, type ChannelChooser, type Choice } from './choose.js';
import { fitLatencyModel } from './latency-fit.js';
import type { PipelineOptions } from '../options/resolve.js';
import type { LatencyOutcome } from './result.js';
import { rewritten } from './rewrite.js';

/** Plans that are built and timed. */
const attempts = 4;

/** A plan this far below the latency asked for has removed too much. */
const tooFast = 0.93;

/** For plans that may become the result. */
const trialPatience: Patience = { minSeconds: 3, maxSeconds: 15 };

/**
 * Chooses channels by measurement: rounds to the multiple that kernels like best, prices plans with a table of latencies
 * that is calibrated end to end, undoes cuts that save nothing, and times the result against the dense model. A budget of
 * latency is tightened or relaxed by what was measured; without one, cuts are undone until the model is faster than before.
 * @throws PruneError `budget`, `nothing-to-prune` if no cut pays, and what selecting throws.
 */
export async function searchByLatency(
  analysis: Analysis,
  chooser: ChannelChooser,
  options: PipelineOptions,
): Promise<{ choice: Choice; latency: LatencyOutcome }> {
  const { cost, runtime } = analysis;
  const { provider, threads, latencyCache, signal, budget, onProgress } = options;
  const measure: LatencyOptions = {
    ...{ runtime, provider, threads, cache: latencyCache, signal },
    ...(options.shapes && { shapes: options.shapes }),
    onProgress: (done, total) => onProgress?.({ phase: 'measure', done, total }),
  };
  const dense = analysis.canonical.restore(analysis.model);
  const trial = async (plan: Plan, patience: Patience) =>
    tryOut(dense, (await rewritten(analysis, plan, options)).model, patience, measure);
  const { model, roundTo } = await fitLatencyModel(analysis, options, measure, trial);
  const priced: Priced = { ...cost, latency: (count) => model.predict(count) };
  const limit =
    budget?.latency === undefined ? undefined : limitsOf({ latency: budget.latency }, priced)[0]!.limit;
  const wanted = limit === undefined ? undefined : limit / model.dense;

  interface Tried {
    readonly choice: Choice;
    readonly latency: LatencyOutcome;
  }
  const trials: Tried[] = [];
  let target = limit;
  let keepWhole: readonly PruningGroup[] = [];
  for (let attempt = 1; attempt <= attempts; attempt++) {
    const chosen = await chooser.choose(priced, {
      ...options,
      roundTo,
      ...(budget && { budget: target === undefined ? budget : { ...budget, latency: `${target}ms` } }),
    });
    const restored = restore(chosen.plan, keepWhole);
    const { plan, undone } = undoIdle(restored, model, priced, budget);
    if (plan.kept.size === 0) break;
    const choice = withWhole(chosen, plan, cost, [...keepWhole, ...undone]);
    onProgress?.({ phase: 'measure', done: attempt, total: attempts, detail: 'end to end' });
    const measured = await trial(plan, trialPatience);
    const predicted = model.predict(keptCount(plan));
    trials.push({
      choice,
      latency: {
        ...{ provider, roundTo, dense: model.dense, attempts: attempt, wanted },
        predicted: predicted / model.dense,
        measured: measured.share,
        interval: measured.interval,
        undone: [...keepWhole, ...undone].map(({ name }) => name),
      },
    });
    if (wanted !== undefined && target !== undefined) {
      if (measured.share <= wanted && measured.share >= tooFast * wanted) break;
      // Half-way, since one measurement is not to be trusted altogether.
      target *= ((wanted * 0.98) / measured.share) ** 0.7;
    } else {
      if (measured.interval[1] < 1) break;
      keepWhole = [...keepWhole, ...leastSaving(plan, model)];
    }
  }
  const best = bestOf(trials, wanted);
  if (best) return { ...best, latency: { ...best.latency, attempts: trials.length } };
  if (wanted !== undefined && trials.length > 0) {
    const reached = Math.min(...trials.map(({ latency }) => latency.measured));
    throw new PruneError(
      'budget',
      `budget latency=${budget!.latency} can't be met: the best plan measured ${(100 * reached).toFixed(1)} % of the dense latency; allow more`,
    );
  }
  throw new PruneError(
    'nothing-to-prune',
    `no cut makes the model faster on ${provider} with channels in multiples of ${roundTo}; remove more, or don't measure (give --round-to a number)`,
  );
}

/** The slowest plan within the limit, as it keeps the most; without a limit the last one, if it is faster. */
function bestOf<Trial extends { readonly latency: LatencyOutcome }>(
  trials: readonly Trial[],
  wanted: number | undefined,
): Trial | undefined {
  if (wanted === undefined) {
    const last = trials.at(-1);
    return last && last.latency.interval[1] < 1 ? last : undefined;
  }
  return trials
    .filter(({ latency }) => latency.measured <= wanted)
    .sort((a, b) => b.latency.measured - a.latency.measured)[0];
}

function restore(plan: Plan, whole: readonly PruningGroup[]): Plan {
  const kept = new Map(plan.kept);
  for (const group of whole) kept.delete(group);
  return { kept };
}

/** Savings below this share of the latency are none. */
const idle = 1e-4;

/** Makes groups whole whose cut saves no time, unless a budget of another cost needs it. */
function undoIdle(
  plan: Plan,
  model: LatencyModel,
  cost: Priced,
  budget: PipelineOptions['budget'],
): { plan: Plan; undone: PruningGroup[] } {
  const { latency: _, ...others } = budget ?? {};
  const limits = limitsOf(others, cost);
  let current = plan;
  const undone: PruningGroup[] = [];
  for (const group of plan.kept.keys()) {
    const without = restore(current, [group]);
    const saved = model.predict(keptCount(without)) - model.predict(keptCount(current));
    if (saved > idle * model.dense || !meets(cost, limits, keptCount(without))) continue;
    current = without;
    undone.push(group);
  }
  return { plan: current, undone };
}

/** The half of the pruned groups whose cuts save the least time for the channels they cost. */
function leastSaving(plan: Plan, model: LatencyModel): PruningGroup[] {
  const now = model.predict(keptCount(plan));
  const rated = [...plan.kept].map(([group, kept]) => {
    const saved = model.predict(keptCount(restore(plan, [group]))) - now;
    return { group, rate: saved / (group.size - kept.length) };
  });
  rated.sort((a, b) => a.rate - b.rate);
  return rated.slice(0, Math.ceil(rated.length / 2)).map(({ group }) => group);
}
