/** One group: how many channels it may keep and what they are worth. */
export interface Item {
  /** Kept counts that are allowed, ascending; the last is the group's size. */
  readonly levels: Int32Array;
  /** Importance retained at each level, never decreasing. */
  readonly values: Float64Array;
}

/**
 * Choose a level for every item such that the retained importance is as large as the loads allow. Channels of a group
 * go in order of their scores, which is why a level says it all.
 */
export interface Problem {
  readonly items: readonly Item[];
  /** Number of limits. */
  readonly limits: number;
  /** For each limit the cost at these kept counts, as a share of the limit: feasible where all are ≤ 1. */
  load(kept: Int32Array): Float64Array;
}

/** A level of each item, by index. */
export type Levels = Int32Array;

export function keptOf({ items }: Problem, at: Levels): Int32Array {
  return Int32Array.from(at, (level, i) => items[i]!.levels[level]!);
}

export function loadOf(problem: Problem, at: Levels): Float64Array {
  return problem.load(keptOf(problem, at));
}

export function fits(problem: Problem, at: Levels): boolean {
  return loadOf(problem, at).every((load) => load <= 1);
}

/** Retained importance. */
export function valueOf({ items }: Problem, at: Levels): number {
  let value = 0;
  for (let i = 0; i < at.length; i++) value += items[i]!.values[at[i]!]!;
  return value;
}

export function highest({ items }: Problem): Levels {
  return Int32Array.from(items, ({ levels }) => levels.length - 1);
}

/** The last index at which a condition that turns from true to false holds; `low` is known to hold. */
export function lastThat(low: number, high: number, holds: (index: number) => boolean): number {
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (holds(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
