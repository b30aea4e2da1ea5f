import { coordinates } from '../axes/project.js';
import type { Role } from '../axes/relation.js';
import type { Grouping, Member, PruningGroup } from '../groups/group.js';
import { isFloat } from '../onnx/data-type.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf, type Floats } from '../onnx/values.js';

/** The weights of one member, row-major as (outer, axis, inner). */
export interface MemberWeights {
  readonly member: Member;
  readonly role: Role;
  /** All elements of the tensor; read when first asked for. Must not be written to. */
  readonly values: Floats;
  readonly outer: number;
  /** Length of the member's axis. */
  readonly length: number;
  readonly inner: number;
  /** Channel of the group at each position of the axis; -1 where the group doesn't reach. */
  readonly channels: Int32Array;
}

/**
 * Reads the weights of groups one after the other. A tensor's elements are kept as long as a group that is still
 * to come has it too, so each tensor that can't be viewed in place is converted once.
 */
export class WeightReader {
  private readonly pending = new Map<Tensor, number>();
  private readonly read = new Map<Tensor, Floats>();

  constructor(
    private readonly grouping: Grouping,
    groups: readonly PruningGroup[],
  ) {
    for (const group of groups)
      for (const tensor of tensorsOf(group)) this.pending.set(tensor, (this.pending.get(tensor) ?? 0) + 1);
  }

  weightsOf(group: PruningGroup): MemberWeights[] {
    const { system } = this.grouping.analysis;
    return distinctMembers(group).map((member) => {
      const { dims } = member.parameter.source.tensor;
      let outer = 1;
      let inner = 1;
      dims.forEach((dim, i) => {
        if (i < member.axis) outer *= dim;
        else if (i > member.axis) inner *= dim;
      });
      const values = (): Floats => this.floats(member.parameter.source.tensor);
      return {
        member,
        role: member.role,
        get values() {
          return values();
        },
        outer,
        length: dims[member.axis]!,
        inner,
        channels: coordinates(system, member.parameter.axes[member.axis]!, group.factor),
      };
    });
  }

  /** To be called when a group is done. */
  release(group: PruningGroup): void {
    for (const tensor of tensorsOf(group)) {
      const left = (this.pending.get(tensor) ?? 0) - 1;
      this.pending.set(tensor, left);
      if (left <= 0) this.read.delete(tensor);
    }
  }

  private floats(tensor: Tensor): Floats {
    let values = this.read.get(tensor);
    if (!values) this.read.set(tensor, (values = floatsOf(tensor)));
    return values;
  }
}

function tensorsOf(group: PruningGroup): Set<Tensor> {
  return new Set(distinctMembers(group).map(({ parameter }) => parameter.source.tensor));
}

/** Where a tied tensor has several uses, the one that says most of its part. */
const telling: readonly Role[] = ['produce', 'contract', 'batch', 'scale', 'shift', 'mean', 'variance'];

function distinctMembers(group: PruningGroup): Member[] {
  const rank = ({ role }: Member): number =>
    telling.includes(role) ? telling.indexOf(role) : telling.length;
  const out: Member[] = [];
  const tied = new Map<string, number>();
  for (const member of group.members) {
    const { source } = member.parameter;
    if (!isFloat(source.tensor.dtype)) continue;
    const key = `${source.name}\n${member.axis}`;
    const known = source.tied ? tied.get(key) : undefined;
    if (known === undefined) {
      if (source.tied) tied.set(key, out.length);
      out.push(member);
    } else if (rank(member) < rank(out[known]!)) out[known] = member;
  }
  return out;
}

/** The members with one of the roles, in the order of the group; all members if none has one. */
export function membersWith(
  weights: readonly MemberWeights[],
  ...roles: readonly Role[]
): readonly MemberWeights[] {
  const found = weights.filter(({ role }) => roles.includes(role));
  return found.length > 0 ? found : weights;
}

/** Σ abs(w)^p over all elements of each of `channelCount` channels. */
export function powerSums(weights: MemberWeights, p: 1 | 2, channelCount: number): Float64Array {
  const { values, outer, length, inner, channels } = weights;
  const sums = new Float64Array(length);
  if (inner === 1) addContiguous(values, outer, length, p, sums);
  else if (p === 2) addSquares(values, outer, length, inner, sums);
  else addMagnitudes(values, outer, length, inner, sums);
  const out = new Float64Array(channelCount);
  for (let i = 0; i < length; i++) if (channels[i]! >= 0) out[channels[i]!]! += sums[i]!;
  return out;
}

function addContiguous(values: Floats, outer: number, length: number, p: 1 | 2, sums: Float64Array): void {
  let at = 0;
  for (let o = 0; o < outer; o++)
    if (p === 2)
      for (let a = 0; a < length; a++) {
        const v = values[at++]!;
        sums[a]! += v * v;
      }
    else for (let a = 0; a < length; a++) sums[a]! += Math.abs(values[at++]!);
}

/** Two partial sums, since one chain of additions waits for itself. */
function addSquares(values: Floats, outer: number, length: number, inner: number, sums: Float64Array): void {
  const even = inner & ~1;
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (let a = 0; a < length; a++) {
      let s = 0;
      let t = 0;
      for (const end = at + even; at < end; at += 2) {
        const v = values[at]!;
        const w = values[at + 1]!;
        s += v * v;
        t += w * w;
      }
      if (even < inner) {
        const v = values[at++]!;
        s += v * v;
      }
      sums[a]! += s + t;
    }
}

function addMagnitudes(
  values: Floats,
  outer: number,
  length: number,
  inner: number,
  sums: Float64Array,
): void {
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (let a = 0; a < length; a++) {
      let s = 0;
      for (const end = at + inner; at < end; at++) s += Math.abs(values[at]!);
      sums[a]! += s;
    }
}

/**
 * The elements of each channel in one row: [channelCount, elements per channel], in the order of the tensor.
 * A view where the axis is the outermost and is the group's factor itself.
 */
export function filtersOf(weights: MemberWeights, channelCount: number): { rows: Floats; width: number } {
  const { values, outer, length, inner, channels } = weights;
  if (outer === 1 && channels.every((channel, i) => channel === i)) return { rows: values, width: inner };
  const occurrences = channels.reduce((count, channel) => count + (channel === 0 ? 1 : 0), 0);
  const width = occurrences * outer * inner;
  const rows =
    values instanceof Float64Array
      ? new Float64Array(channelCount * width)
      : new Float32Array(channelCount * width);
  const filled = new Int32Array(channelCount);
  for (let o = 0; o < outer; o++)
    for (let a = 0; a < length; a++) {
      const channel = channels[a]!;
      if (channel < 0) continue;
      const from = (o * length + a) * inner;
      rows.set(values.subarray(from, from + inner), channel * width + filled[channel]!);
      filled[channel]! += inner;
    }
  return { rows, width };
}
