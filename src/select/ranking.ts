import type { Grouping, PruningGroup } from '../groups/group.js';
import type { Scope } from './options.js';

/** A group that loses channels. */
export interface Candidate {
  readonly group: PruningGroup;
  readonly scores: Float64Array;
  /** Fewest channels it keeps. */
  readonly least: number;
  /** Shares the ratio with another factor of its axes. */
  readonly shared: boolean;
  /** A ratio of its own, whatever the common one is. */
  readonly ratio: number | undefined;
}

/** Number of channels that each candidate keeps at a ratio; never grows with the ratio. */
export type Allocation = (ratio: number) => Int32Array;

/** How a ratio becomes a number of channels per candidate. */
export function allocate(grouping: Grouping, candidates: readonly Candidate[], scope: Scope): Allocation {
  if (scope === 'local')
    return (ratio) => Int32Array.from(candidates, (candidate) => localKept(candidate, ratio));
  const pools = new Map<string, number[]>();
  candidates.forEach(({ group, ratio }, i) => {
    if (ratio !== undefined) return;
    const key = scope === 'global' ? '' : memberPattern(grouping, group);
    const pool = pools.get(key);
    if (pool) pool.push(i);
    else pools.set(key, [i]);
  });
  const ranked = [...pools.values()].map((pool) => ({ pool, order: rank(candidates, pool) }));
  return (ratio) => {
    const kept = Int32Array.from(candidates, (candidate) =>
      candidate.ratio === undefined ? candidate.group.size : localKept(candidate, ratio),
    );
    for (const { pool, order } of ranked) {
      let left = Math.round(
        pool.reduce((total, i) => total + freeChannels(candidates[i]!) * ownRatio(candidates[i]!, ratio), 0),
      );
      for (let at = 0; left > 0 && at < order.length; at++) {
        const i = order[at]!;
        if (kept[i]! <= candidates[i]!.least) continue;
        kept[i]!--;
        left--;
      }
    }
    return kept;
  };
}

/** The channels that stay when `count` do: those with the highest scores, of equal ones the first to go is the first. */
export function keptChannels(scores: Float64Array, count: number): Int32Array {
  return ascending(scores)
    .subarray(scores.length - count)
    .slice()
    .sort();
}

/** For each channel how many are more important: the last to go has rank 0. */
export function channelRanks(scores: Float64Array): Int32Array {
  const ranks = new Int32Array(scores.length);
  ascending(scores).forEach((channel, place) => (ranks[channel] = scores.length - 1 - place));
  return ranks;
}

function ascending(scores: Float64Array): Int32Array {
  return Int32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
}

/** What makes groups alike: their members' ops and roles, and how they nest. Not their sizes. */
export function memberPattern({ analysis }: Grouping, group: PruningGroup): string {
  const { nodes } = analysis.model.graph;
  const members = group.members
    .map(({ parameter, role, axis }) => `${nodes[parameter.node]!.opType}:${parameter.input}:${axis}:${role}`)
    .sort();
  return [group.attention ?? '', group.grouped, group.normalizedBy.length > 0, ...members].join(' ');
}

/** With a factor that shares the ratio, 1 − (1 − x)² = ratio. */
function ownRatio({ ratio: own, shared }: Candidate, ratio: number): number {
  const share = own ?? ratio;
  return shared ? 1 - Math.sqrt(1 - share) : share;
}

/** Channels that could go at all. */
function freeChannels({ group: { size, pinned } }: Candidate): number {
  return pinned ? pinned.reduce((free, stays) => free - stays, size) : size;
}

function localKept(candidate: Candidate, ratio: number): number {
  const { size } = candidate.group;
  return Math.max(candidate.least, size - Math.round(freeChannels(candidate) * ownRatio(candidate, ratio)));
}

/** For each channel of a pool, lowest score first, the candidate it belongs to. */
function rank(candidates: readonly Candidate[], pool: readonly number[]): Int32Array {
  const total = pool.reduce((sum, i) => sum + candidates[i]!.group.size, 0);
  const owner = new Int32Array(total);
  const scores = new Float64Array(total);
  let at = 0;
  for (const i of pool) {
    owner.fill(i, at, at + candidates[i]!.group.size);
    scores.set(candidates[i]!.scores, at);
    at += candidates[i]!.group.size;
  }
  return ascending(scores).map((channel) => owner[channel]!);
}
