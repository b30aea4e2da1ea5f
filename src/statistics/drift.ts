import type { MemberDrift } from '../members/measured.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import { floatsOf } from '../onnx/values.js';
import { channelMoments, readOf, type ChannelRead, type MomentOptions } from './channel-moments.js';

/**
 * The variances that normalisations recorded in training, and those of the same channels on the data. Models without
 * such records (they are gone where BatchNormalization was folded) aren't run.
 */
export async function measureDrift(
  grouping: Grouping,
  options: MomentOptions,
): Promise<Map<PruningGroup, MemberDrift[]>> {
  const reads = grouping.groups.flatMap((group) =>
    group.members.flatMap((member) =>
      member.role === 'variance' ? (readOf(grouping, group, member, normalized) ?? []) : [],
    ),
  );
  const drift = new Map<PruningGroup, MemberDrift[]>();
  for (const [read, { variance }] of await channelMoments(grouping, reads, options)) {
    const { group, member } = read;
    const recorded = byChannel(read, floatsOf(member.parameter.source.tensor));
    const list = drift.get(group) ?? [];
    list.push({ member, recorded, measured: byChannel(read, variance) });
    drift.set(group, list);
  }
  return drift;
}

/** Factor between recorded and measured variance, either way, that half of the channels exceed; undefined without records. */
export function typicalDrift(drift: readonly MemberDrift[]): number | undefined {
  const factors = drift.flatMap(({ recorded, measured }) =>
    [...recorded].flatMap((value, channel) => {
      const ratio = value / measured[channel]!;
      return ratio > 0 ? Math.max(ratio, 1 / ratio) : [];
    }),
  );
  return factors.sort((a, b) => a - b)[factors.length >> 1];
}

/** The input that a normalisation normalises. */
const normalized = 0;

function byChannel({ group, positions, channels }: ChannelRead, values: ArrayLike<number>): Float64Array {
  const out = new Float64Array(group.size);
  positions.forEach((position, i) => (out[channels[i]!]! += values[position]!));
  return out;
}
