import type { Analysis } from '../analysis/analyze.js';
import { PruneError } from '../errors.js';
import { bestAlignment } from '../latency/alignment.js';
import { calibrate } from '../latency/calibrate.js';
import { latencyModel, type LatencyModel, type LatencyOptions } from '../latency/latency.js';
import { operationsOf } from '../latency/operation.js';
import type { Patience, Trial } from '../latency/trial.js';
import type { PipelineOptions } from '../options/resolve.js';
import { keptCount, type Plan } from '../plan/plan.js';
import { select } from '../select/select.js';

/** Ratios of the plans that predictions are calibrated with. */
const anchorRatios = [0.3, 0.7] as const;

const anchorPatience: Patience = { minSeconds: 1, maxSeconds: 5 };

/** Multiples that whole models are tried with besides the one that ops by themselves like best: a vector of floats. */
const wholeVector = 16;

/** A smaller multiple wins unless this much more time is saved for each multiply-add with a larger one. */
const tolerance = 1.05;

interface Anchor {
  readonly predicted: number;
  readonly measured: number;
  /** Latency saved for each multiply-add saved, as shares. */
  readonly rate: number;
}

/**
 * What plans will take, and the multiple of channels that kernels like best. Ops are measured one by one; some plans that
 * remove the same share of every group are then timed end to end, to calibrate predictions, and to see whether the
 * multiple that ops like by themselves is right for the whole: a kernel may be fast alone and force others to be slow.
 */
export async function fitLatencyModel(
  { grouping, cost, shapes }: Analysis,
  options: PipelineOptions,
  measure: LatencyOptions,
  trial: (plan: Plan, patience: Patience) => Promise<Trial>,
): Promise<{ readonly model: LatencyModel; readonly roundTo: number }> {
  const dtypeOf = (value: string) => shapes.dtypeOf(value);
  const table = await latencyModel(grouping, cost, dtypeOf, measure);
  // A table of multiples is no match for what is measured.
  const given = options.roundTo === 'fast' ? 'auto' : options.roundTo;
  const scores = new Map(
    // Whichever channels go, the time is the same.
    grouping.groups.map((group) => [group, Float64Array.from({ length: group.size }, (_, i) => -i)]),
  );

  const anchorAt = async (ratio: number, roundTo: number): Promise<Anchor | undefined> => {
    const uniform = { ratio, roundTo, budget: undefined, scope: 'local' } as const;
    let plan: Plan;
    try {
      ({ plan } = select(grouping, cost, scores, { ...options, ...uniform }));
    } catch (error) {
      if (error instanceof PruneError && error.code === 'nothing-to-prune') return undefined;
      throw error;
    }
    const count = keptCount(plan);
    const { share } = await trial(plan, anchorPatience);
    const rate = (1 - share) / (1 - cost.macs(count) / cost.macs());
    return { predicted: table.predict(count) / table.dense, measured: share, rate };
  };

  const [mild, severe] = anchorRatios;
  let roundTo =
    given === 'auto' ? await bestAlignment(operationsOf(grouping, cost, dtypeOf), measure) : given;
  let first = await anchorAt(mild, roundTo);
  if (given === 'auto' && roundTo < wholeVector) {
    const other = await anchorAt(mild, wholeVector);
    if (other && (!first || other.rate > tolerance * first.rate)) [first, roundTo] = [other, wholeVector];
  }
  const anchors = [first, await anchorAt(severe, roundTo)].filter((anchor) => anchor !== undefined);
  return { model: calibrate(table, anchors), roundTo };
}
