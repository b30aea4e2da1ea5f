import type { Measured, MemberActivation } from '../members/measured.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import {
  channelMoments,
  readOf,
  type ChannelRead,
  type MomentOptions,
  type Moments,
} from './channel-moments.js';

/** Mean and variance of every channel that weights contract, over examples and all other axes. */
export async function measureActivations(
  grouping: Grouping,
  options: MomentOptions,
): Promise<Map<PruningGroup, Measured>> {
  const reads = grouping.groups.flatMap((group) =>
    group.members.flatMap((member) => {
      const { input } = member.parameter;
      if (member.role !== 'contract' || input > 1) return [];
      return readOf(grouping, group, member, 1 - input) ?? [];
    }),
  );
  const moments = await channelMoments(grouping, reads, options);
  const found = new Map<PruningGroup, MemberActivation[]>(grouping.groups.map((group) => [group, []]));
  for (const [read, own] of moments) found.get(read.group)!.push(activationOf(read, own));
  return new Map([...found].map(([group, activations]) => [group, { activations }]));
}

/** Moments of a channel that has several positions: those of all of them taken together. */
function activationOf(
  { group, member, positions, channels }: ChannelRead,
  { mean: means, variance: variances }: Moments,
): MemberActivation {
  const mean = new Float64Array(group.size);
  const square = new Float64Array(group.size);
  const count = positions.length / group.size;
  positions.forEach((position, i) => {
    const m = means[position]!;
    mean[channels[i]!]! += m / count;
    square[channels[i]!]! += (variances[position]! + m * m) / count;
  });
  // Exact where the channel has one position.
  const variance = square.map((s, c) => (count === 1 ? 0 : Math.max(0, s - mean[c]! ** 2)));
  if (count === 1) positions.forEach((position, i) => (variance[channels[i]!] = variances[position]!));
  return { member, mean, variance };
}
