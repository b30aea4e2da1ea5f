import type { Axis, Factor } from '../axes/axis.js';
import { keepMask } from '../axes/project.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import { keptMasks } from '../plan/plan.js';

/** Scores with channels that have to stay above all others. */
export function withoutPinned({ pinned }: PruningGroup, scores: Float64Array): Float64Array {
  return pinned ? scores.map((score, channel) => (pinned[channel] ? Infinity : score)) : scores;
}

/**
 * A permutation can gather channels of several groups on one axis, and the groups' own minimum doesn't tell whether
 * any of those stay. An axis that would be emptied gets its most important channel back.
 */
export function keepAxes(
  grouping: Grouping,
  plan: Map<PruningGroup, Int32Array>,
  scores: ReadonlyMap<PruningGroup, Float64Array>,
): void {
  const { analysis, groups, byFactor } = grouping;
  if (groups.every(({ pinned }) => !pinned)) return;
  const { system } = analysis;
  let masks = keptMasks({ kept: plan });
  const visit = (axis: Axis): void => {
    const leaves = system.leaves(axis);
    if (leaves.length === 0 || leaves.some(({ origin, blocker }) => !origin || blocker)) return;
    if (keepMask(system, axis, masks).includes(1)) return;
    const scoreOf = ({ origin }: Factor): number => {
      const group = byFactor.get(origin!.factor);
      return (group && scores.get(group)?.[origin!.index]) ?? 0;
    };
    const { origin } = leaves.reduce((best, leaf) => (scoreOf(leaf) > scoreOf(best) ? leaf : best));
    const group = byFactor.get(origin!.factor)!;
    plan.set(group, Int32Array.from([...plan.get(group)!, origin!.index]).sort());
    masks = keptMasks({ kept: plan });
  };
  for (const axes of analysis.axes.values()) for (const axis of axes) visit(axis);
  for (const { axes } of analysis.parameters) for (const axis of axes) visit(axis);
}
