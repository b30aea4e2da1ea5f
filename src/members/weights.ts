import type { Axis, Factor } from '../axes/axis.js';
import type { Role } from '../axes/relation.js';
import type { Grouping, Member, PruningGroup } from '../groups/group.js';
import type { Tensor } from '../onnx/tensor.js';
import { floatsOf, type Floats } from '../onnx/values.js';
import { occurrencesOf, type Occurrences } from '../axes/positions.js';
import { QuantizedWeights } from './quantized.js';
import { axisSums, leadingSums, type LeadingSums, type Power } from './sums.js';

/** The weights of one member, row-major as (outer, axis, inner). */
export interface MemberWeights {
  readonly member: Member;
  readonly role: Role;
  /** All elements of the tensor, of a quantized one what they stand for; read when first asked for. Must not be written to. */
  readonly values: Floats;
  readonly outer: number;
  /** Length of the member's axis. */
  readonly length: number;
  readonly inner: number;
  /** The positions of the axis that belong to the group; a channel may have several. */
  readonly positions: Int32Array;
  /** The channel of the group at each of `positions`. */
  readonly channels: Int32Array;
  /** Σ abs(w)^p over outer and inner at each position of the whole axis. Must not be written to. */
  sums(p: Power): Float64Array;
}

/** Sums of weights that were made before, and their power. */
export interface ReadySums {
  readonly sums: ReadonlyMap<Tensor, LeadingSums>;
  readonly power: Power;
}

/**
 * Reads the weights of groups one after the other. What was read of a tensor is kept as long as a group that is
 * still to come has it too, so each tensor is converted and summed once.
 */
export class WeightReader {
  private readonly members = new Map<PruningGroup, readonly Member[]>();
  private readonly pending = new Map<Tensor, number>();
  private readonly read = new Map<Tensor, ReadTensor>();
  private readonly occurrences = new Map<Axis, ReadonlyMap<Factor, Occurrences>>();
  private readonly quantized: QuantizedWeights;

  constructor(
    private readonly grouping: Grouping,
    groups: readonly PruningGroup[],
    ready?: ReadySums,
  ) {
    this.quantized = new QuantizedWeights(grouping.analysis);
    for (const group of groups) {
      const members = distinctMembers(group, this.quantized);
      this.members.set(group, members);
      for (const tensor of tensorsOf(members)) this.pending.set(tensor, (this.pending.get(tensor) ?? 0) + 1);
    }
    for (const [tensor, sums] of ready?.sums ?? [])
      if (this.pending.has(tensor)) this.read.set(tensor, new ReadTensor(tensor, sums, ready!.power));
  }

  /** The weights of a group that the constructor was given. */
  weightsOf(group: PruningGroup): MemberWeights[] {
    return this.members.get(group)!.map((member) => {
      const { tensor } = member.parameter.source;
      const expression = member.parameter.axes[member.axis]!;
      const { positions, channels } = this.occurrencesOf(expression).get(group.factor)!;
      const read = (): ReadTensor => this.tensor(member);
      return {
        member,
        role: member.role,
        get values() {
          return read().values;
        },
        outer: tensor.dims.slice(0, member.axis).reduce((a, b) => a * b, 1),
        length: tensor.dims[member.axis]!,
        inner: tensor.dims.slice(member.axis + 1).reduce((a, b) => a * b, 1),
        positions,
        channels,
        sums: (p) => read().sums(member.axis, p),
      };
    });
  }

  /** To be called when a group is done. */
  release(group: PruningGroup): void {
    for (const tensor of tensorsOf(this.members.get(group)!)) {
      const left = (this.pending.get(tensor) ?? 0) - 1;
      this.pending.set(tensor, left);
      if (left <= 0) this.read.delete(tensor);
      else this.read.get(tensor)?.dropLarge();
    }
  }

  private tensor({ parameter }: Member): ReadTensor {
    const { tensor } = parameter.source;
    let read = this.read.get(tensor);
    if (!read) this.read.set(tensor, (read = new ReadTensor(this.quantized.floats(parameter)!)));
    return read;
  }

  private occurrencesOf(axis: Axis): ReadonlyMap<Factor, Occurrences> {
    let found = this.occurrences.get(axis);
    if (!found) this.occurrences.set(axis, (found = occurrencesOf(this.grouping.analysis.system, axis)));
    return found;
  }
}

/** Elements of larger tensors aren't kept from one group to the next. */
const maxHeldBytes = 2 ** 24;

/** What was read of one tensor. */
class ReadTensor {
  private elements: Floats | undefined;
  private readonly known = new Map<string, Float64Array>();

  constructor(
    private readonly tensor: Tensor,
    sums?: LeadingSums,
    p?: Power,
  ) {
    if (sums) this.known.set(`0:${p}`, sums[0]).set(`1:${p}`, sums[1]);
  }

  get values(): Floats {
    return (this.elements ??= floatsOf(this.tensor));
  }

  /** Large tensors are read again rather than held: a group may have them that comes last. */
  dropLarge(): void {
    if (this.tensor.data.byteLength > maxHeldBytes) this.elements = undefined;
  }

  sums(axis: number, p: Power): Float64Array {
    const key = `${axis}:${p}`;
    let sums = this.known.get(key);
    if (sums) return sums;
    if (axis < 2) {
      const [first, second] = leadingSums(this.tensor, p);
      this.known.set(`0:${p}`, first).set(`1:${p}`, second);
      return axis === 0 ? first : second;
    }
    this.known.set(key, (sums = axisSums(this.tensor, axis, p)));
    return sums;
  }
}

function tensorsOf(members: readonly Member[]): Set<Tensor> {
  return new Set(members.map(({ parameter }) => parameter.source.tensor));
}

/** Where a tied tensor has several uses, the one that says most of its part. */
const telling: readonly Role[] = ['produce', 'contract', 'batch', 'scale', 'shift', 'mean', 'variance'];

function distinctMembers(group: PruningGroup, quantized: QuantizedWeights): Member[] {
  const rank = ({ role }: Member): number =>
    telling.includes(role) ? telling.indexOf(role) : telling.length;
  const out: Member[] = [];
  const tied = new Map<string, number>();
  for (const member of group.members) {
    const { source } = member.parameter;
    if (!quantized.isReadable(member.parameter)) continue;
    const key = `${source.name}\n${member.axis}`;
    const known = source.tied ? tied.get(key) : undefined;
    if (known === undefined) {
      if (source.tied) tied.set(key, out.length);
      out.push(member);
    } else if (rank(member) < rank(out[known]!)) out[known] = member;
  }
  return out;
}

/** Σ abs(w)^p over all elements of each of `channelCount` channels. */
export function powerSums(weights: MemberWeights, p: Power, channelCount: number): Float64Array {
  const { positions, channels } = weights;
  const sums = weights.sums(p);
  const out = new Float64Array(channelCount);
  for (let i = 0; i < positions.length; i++) out[channels[i]!]! += sums[positions[i]!]!;
  return out;
}

/**
 * The elements of each channel in one row: [channelCount, elements per channel]. A view where the axis is the
 * outermost and is the group's factor itself.
 */
export function filtersOf(weights: MemberWeights, channelCount: number): { rows: Floats; width: number } {
  const { values, outer, length, inner, positions, channels } = weights;
  const whole = positions.length === channelCount && length === channelCount;
  if (outer === 1 && whole) return { rows: values, width: inner };
  const width = (positions.length / channelCount) * outer * inner;
  const size = channelCount * width;
  const rows = values instanceof Float64Array ? new Float64Array(size) : new Float32Array(size);
  const filled = new Int32Array(channelCount);
  for (let i = 0; i < positions.length; i++) {
    const channel = channels[i]!;
    for (let o = 0; o < outer; o++) {
      const from = (o * length + positions[i]!) * inner;
      rows.set(values.subarray(from, from + inner), channel * width + filled[channel]!);
      filled[channel]! += inner;
    }
  }
  return { rows, width };
}
