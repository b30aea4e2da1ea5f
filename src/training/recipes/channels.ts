import { coordinates } from '../../axes/project.js';
import type { ParameterUse } from '../../axes/couple.js';
import type { Role } from '../../axes/relation.js';
import type { Grouping, PruningGroup } from '../../groups/group.js';
import type { Values } from '../values.js';

/** One axis of one weight that carries a group's channels. */
export interface ChannelAxis {
  /** Name of the weight among the values. */
  readonly name: string;
  readonly role: Role;
  /** Channel at each position of the axis; -1 where there is none. */
  readonly channels: Int32Array;
  /** Elements between two positions of the axis. */
  readonly stride: number;
}

/** A group's channels in the weights that train. */
export interface TrainedGroup {
  readonly group: PruningGroup;
  readonly size: number;
  /** Those that make the channel or read it: with zeros in them the channel is as good as gone. */
  readonly axes: readonly ChannelAxis[];
}

/** Roles in which zeros silence a channel. */
const silencing: readonly Role[] = ['produce', 'contract', 'batch', 'scale', 'shift'];

/** The groups of a model in terms of the weights that train; groups without any are left out. */
export function trainedGroups(
  { analysis: { system }, groups }: Grouping,
  nameOf: (use: ParameterUse) => string | undefined,
): TrainedGroup[] {
  return groups.flatMap((group): TrainedGroup[] => {
    const axes = group.members.flatMap(({ parameter, axis, role }): ChannelAxis[] => {
      const name = nameOf(parameter);
      if (name === undefined || !silencing.includes(role)) return [];
      const channels = coordinates(system, parameter.axes[axis]!, group.factor);
      const stride = parameter.source.tensor.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
      return [{ name, role, channels, stride }];
    });
    return axes.length > 0 ? [{ group, size: group.size, axes }] : [];
  });
}

/** Calls `visit` for every element of an axis's weight that belongs to a channel, with its index and the channel. */
export function eachElement(
  { channels, stride }: ChannelAxis,
  length: number,
  visit: (index: number, channel: number) => void,
): void {
  const block = channels.length * stride;
  for (let start = 0; start < length; start += block)
    for (let position = 0; position < channels.length; position++) {
      const channel = channels[position]!;
      if (channel < 0) continue;
      const from = start + position * stride;
      for (let i = from; i < from + stride; i++) visit(i, channel);
    }
}

/** Σ over a channel's elements of a function of two arrays of the weights' shapes, by channel. */
export function sumByChannel(
  group: TrainedGroup,
  first: Values,
  second: Values,
  term: (a: number, b: number) => number,
): Float64Array {
  const sums = new Float64Array(group.size);
  for (const axis of group.axes) {
    const [a, b] = [first.get(axis.name), second.get(axis.name)];
    if (!a || !b) continue;
    eachElement(axis, a.length, (i, channel) => (sums[channel]! += term(a[i]!, b[i]!)));
  }
  return sums;
}

/** The l2 norm of each channel's weights. */
export function channelNorms(group: TrainedGroup, values: Values): Float64Array {
  return sumByChannel(group, values, values, (a) => a * a).map(Math.sqrt);
}

/** Multiplies each channel's weights by a factor, in place. */
export function scaleChannels(group: TrainedGroup, values: Values, factors: ArrayLike<number>): void {
  for (const axis of group.axes) {
    const own = values.get(axis.name);
    if (own) eachElement(axis, own.length, (i, channel) => (own[i]! *= factors[channel]!));
  }
}
