import { fits, keptOf, lastThat, valueOf, type Levels, type Problem } from './problem.js';

/** How many plans local search may price. */
export class Allowance {
  constructor(private left: number) {}

  /** Whether there is any left, taking one. */
  take(): boolean {
    return this.left-- > 0;
  }
}

/**
 * Improves a feasible choice by exact exchanges until none helps: one item down and another up, one down and the room
 * given to whoever makes most of it, one up and the load taken from whoever loses least.
 */
export function improve(problem: Problem, start: Levels, allowance: Allowance): Levels {
  let at = fill(problem, start, allowance);
  for (let better = true; better;) {
    better = false;
    for (const exchange of [swap, lowerAndFill, raiseAndShed])
      for (let i = 0; i < at.length; i++) {
        const next = exchange(problem, at, i, allowance);
        if (!next || !(valueOf(problem, next) > valueOf(problem, at) * (1 + 1e-12))) continue;
        at = next;
        better = true;
      }
  }
  return at;
}

/** Raises items, the one that gains most for the room it takes first, until none can rise. `except` stays. */
export function fill(problem: Problem, start: Levels, allowance: Allowance, except = -1): Levels {
  const at = start.slice();
  const open = new Set(problem.items.keys());
  open.delete(except);
  while (open.size > 0) {
    let [best, bestRate, bestLevel] = [-1, -Infinity, 0];
    const before = maxLoad(problem, at);
    for (const i of open) {
      const last = problem.items[i]!.levels.length - 1;
      if (at[i] === last || !allowance.take()) {
        open.delete(i);
        continue;
      }
      const level = at[i]!;
      at[i] = level + 1;
      const load = maxLoad(problem, at);
      at[i] = level;
      if (load > 1) {
        open.delete(i);
        continue;
      }
      const gain = problem.items[i]!.values[level + 1]! - problem.items[i]!.values[level]!;
      const rate = gain / Math.max(load - before, 1e-15);
      if (rate > bestRate) [best, bestRate, bestLevel] = [i, rate, level + 1];
    }
    if (best >= 0) at[best] = bestLevel;
  }
  return at;
}

/** Lowers items, the one that loses least for the load it takes away first, until the rest fits. `except` stays. */
function shed(problem: Problem, at: Levels, except: number, allowance: Allowance): boolean {
  for (;;) {
    const before = excess(problem, at);
    if (before <= 0) return true;
    let [best, bestRate] = [-1, Infinity];
    for (let i = 0; i < at.length; i++) {
      if (i === except || at[i] === 0) continue;
      if (!allowance.take()) return false;
      const level = at[i]!;
      at[i] = level - 1;
      const saved = before - Math.max(0, excess(problem, at));
      at[i] = level;
      const loss = problem.items[i]!.values[level]! - problem.items[i]!.values[level - 1]!;
      const rate = loss / Math.max(saved, 1e-15);
      if (saved > 0 && rate < bestRate) [best, bestRate] = [i, rate];
    }
    if (best < 0) return false;
    at[best]!--;
  }
}

/** Item `i` down by 1, 2, 4, …; another one up by as much as then fits, if that is worth more. */
function swap(problem: Problem, start: Levels, i: number, allowance: Allowance): Levels | undefined {
  const { items } = problem;
  const at = start.slice();
  const from = at[i]!;
  for (let step = 1; step <= from; step *= 2) {
    const loss = items[i]!.values[from]! - items[i]!.values[from - step]!;
    at[i] = from - step;
    for (let j = 0; j < at.length; j++) {
      const { values } = items[j]!;
      const level = at[j]!;
      const last = values.length - 1;
      if (j === i || !(values[last]! - values[level]! > loss)) continue;
      const least = 1 + lastThat(level, last - 1, (l) => !(values[l]! - values[level]! > loss));
      if (!allowance.take()) return undefined;
      at[j] = least;
      if (fits(problem, at)) {
        at[j] = lastThat(least, last, (l) => {
          at[j] = l;
          return fits(problem, at);
        });
        return at;
      }
      at[j] = level;
    }
  }
  return undefined;
}

function lowerAndFill(problem: Problem, at: Levels, i: number, allowance: Allowance): Levels | undefined {
  for (let step = 1; step <= at[i]!; step *= 2) {
    const next = at.slice();
    next[i]! -= step;
    const filled = fill(problem, next, allowance, i);
    if (valueOf(problem, filled) > valueOf(problem, at)) return filled;
    if (!allowance.take()) return undefined;
  }
  return undefined;
}

function raiseAndShed(problem: Problem, at: Levels, i: number, allowance: Allowance): Levels | undefined {
  const last = problem.items[i]!.levels.length - 1;
  for (let step = 1; at[i]! + step <= last; step *= 2) {
    const next = at.slice();
    next[i]! += step;
    if (!shed(problem, next, i, allowance)) return undefined;
    const filled = fill(problem, next, allowance);
    if (valueOf(problem, filled) > valueOf(problem, at)) return filled;
  }
  return undefined;
}

function maxLoad(problem: Problem, at: Levels): number {
  return problem.load(keptOf(problem, at)).reduce((a, b) => Math.max(a, b));
}

/** Sum of what is above the limits. */
function excess(problem: Problem, at: Levels): number {
  return problem.load(keptOf(problem, at)).reduce((sum, load) => sum + Math.max(0, load - 1), 0);
}
