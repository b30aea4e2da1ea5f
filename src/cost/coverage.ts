import type { Blocker } from '../axes/axis.js';
import type { Grouping } from '../groups/group.js';
import type { CostModel, SizeOf } from './cost.js';
import { evaluate } from './polynomial.js';

export interface CoverageOptions {
  /** Whether groups that statistics are taken over (`normalizedBy`) count as prunable. Default true. */
  readonly residualStream?: boolean;
}

/** Shares in [0, 1] of the dense model's cost. */
export interface Coverage {
  readonly parameters: number;
  readonly macs: number;
}

/** How much of a model pruning can reach: 1 − (cost if every prunable factor had one index) / cost. */
export function coverage(grouping: Grouping, cost: CostModel, options: CoverageOptions = {}): Coverage {
  const floor = floorOf(grouping, options);
  const share = (least: number, dense: number): number => (dense > 0 ? 1 - least / dense : 0);
  return {
    parameters: share(cost.parameters(floor), cost.parameters()),
    macs: share(cost.macs(floor), cost.macs()),
  };
}

/** One index for every prunable factor. */
function floorOf({ byFactor }: Grouping, { residualStream = true }: CoverageOptions): SizeOf {
  return (factor) => {
    const group = byFactor.get(factor.origin?.factor ?? factor);
    if (!group || (!residualStream && group.normalizedBy.length > 0)) return factor.size;
    // Of a factor that was taken apart one position is left, wherever that is.
    return factor.origin ? 1 / group.size : 1;
  };
}

/** A reason why parameters can't be pruned. */
export interface BlockerCost {
  readonly blocker: Blocker;
  /**
   * Parameters left with one index for every prunable factor that have an axis blocked for this reason.
   * A tensor with several blocked axes counts for each of them, so the sum may exceed what is left.
   */
  readonly parameters: number;
}

/** The reasons why parameters can't be pruned, the one that holds back the most first. */
export function blockedBy(grouping: Grouping, cost: CostModel, options: CoverageOptions = {}): BlockerCost[] {
  const { system } = grouping.analysis;
  const floor = floorOf(grouping, options);
  const found = new Map<string, { blocker: Blocker; parameters: number }>();
  for (const { axes } of cost.counted) {
    const blockers = new Map<string, Blocker>();
    let left = 1;
    for (const axis of axes) {
      left *= evaluate(cost.extentOf(axis), floor);
      for (const { blocker } of system.leaves(axis))
        if (blocker) blockers.set(`${blocker.node}\n${blocker.op}\n${blocker.why}`, blocker);
    }
    for (const [key, blocker] of blockers) {
      const entry = found.get(key);
      if (entry) entry.parameters += left;
      else found.set(key, { blocker, parameters: left });
    }
  }
  return [...found.values()].sort((a, b) => b.parameters - a.parameters);
}
