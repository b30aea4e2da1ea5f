import type { Factor } from '../axes/axis.js';
import type { KeptMasks } from '../axes/project.js';
import type { PruningGroup } from '../groups/group.js';

/** Which channels of each group stay. Groups that are not listed stay whole. */
export interface Plan {
  /** Kept indices by group, ascending, never empty; only groups that lose something. */
  readonly kept: ReadonlyMap<PruningGroup, Int32Array>;
}

const known = new WeakMap<Plan, KeptMasks>();

/** The plan as masks over factors, made once. */
export function keptMasks(plan: Plan): KeptMasks {
  let masks = known.get(plan);
  if (!masks) known.set(plan, (masks = masksOf(plan)));
  return masks;
}

function masksOf(plan: Plan): KeptMasks {
  const masks = new Map<Factor, Uint8Array>();
  for (const [group, kept] of plan.kept) {
    const mask = new Uint8Array(group.size);
    for (const index of kept) mask[index] = 1;
    masks.set(group.factor, mask);
  }
  return masks;
}

/** Number of kept channels of a factor under a plan; of an atom, whether it is kept. */
export function keptCount(plan: Plan): (factor: Factor) => number {
  const masks = keptMasks(plan);
  const counts = new Map<Factor, number>();
  for (const [group, kept] of plan.kept) counts.set(group.factor, kept.length);
  return (factor) => {
    const { origin } = factor;
    if (origin) return masks.get(origin.factor)?.[origin.index] ?? 1;
    return counts.get(factor) ?? factor.size;
  };
}
