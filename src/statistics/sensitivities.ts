import type { Measured, MemberSensitivity } from '../members/measured.js';
import type { MemberWeights } from '../members/weights.js';
import type { Member, PruningGroup } from '../groups/group.js';
import { byChannel, productSums, type AxisSums } from './slice-sums.js';

/** A group's weights, and the name that the gradient of each has. */
export interface GroupWeights {
  readonly group: PruningGroup;
  readonly weights: readonly MemberWeights[];
  readonly nameOf: (member: Member) => string;
}

/** Adds up sensitivities minibatch by minibatch; gradients themselves are kept only as one running sum. */
export class SensitivitySums {
  private readonly entries: readonly Entry[];
  private readonly gradients = new Map<string, Float32Array>();
  private batches = 0;
  private examples = 0;

  constructor(groups: readonly GroupWeights[]) {
    this.entries = groups.map((group) => new Entry(group));
  }

  /** Gradients of the mean over a minibatch. */
  add(gradients: ReadonlyMap<string, Float32Array>, examples: number): void {
    // A tensor is part of two groups as a rule, each by an axis of its own.
    const sums = new Map<string, AxisSums>();
    for (const entry of this.entries) entry.add(gradients, sums);
    for (const [name, gradient] of gradients) {
      let sum = this.gradients.get(name);
      if (!sum) this.gradients.set(name, (sum = new Float32Array(gradient.length)));
      for (let i = 0; i < sum.length; i++) sum[i]! += examples * gradient[i]!;
    }
    this.batches++;
    this.examples += examples;
  }

  /** Gradient of the mean over all data, by name. */
  meanGradients(): Map<string, Float32Array> {
    return new Map(
      [...this.gradients].map(([name, sum]) => [name, sum.map((value) => value / this.examples)]),
    );
  }

  result(): Map<PruningGroup, Required<Pick<Measured, 'gradients' | 'gates'>>> {
    const means = this.meanGradients();
    return new Map(this.entries.map((entry) => [entry.group, entry.result(this.batches, means)]));
  }
}

class Entry {
  readonly group: PruningGroup;
  private readonly members: readonly MemberEntry[];
  private readonly gates: readonly Gate[];

  constructor(readonly source: GroupWeights) {
    this.group = source.group;
    const { size } = source.group;
    this.members = source.weights.map((weights) => ({
      weights,
      name: source.nameOf(weights.member),
      squared: new Float64Array(size),
      absolute: new Float64Array(size),
      elementwise: new Float64Array(size),
    }));
    this.gates = gateMembers(source.weights.map(({ member }) => member)).map((gate) => ({
      members: this.members.filter(({ weights }) => gate.includes(weights.member)),
      squared: new Float64Array(size),
    }));
  }

  add(gradients: ReadonlyMap<string, Float32Array>, known: Map<string, AxisSums>): void {
    const signedOf = new Map<MemberEntry, Float64Array>();
    for (const entry of this.members) {
      const gradient = gradients.get(entry.name);
      if (!gradient) continue;
      const { weights } = entry;
      const key = `${entry.name}\n${weights.member.axis}`;
      let sums = known.get(key);
      if (!sums) known.set(key, (sums = productSums(gradient, weights.values, weights)));
      const signed = byChannel(sums.signed, weights, this.group);
      signedOf.set(entry, signed);
      accumulate(entry.squared, signed, true);
      accumulate(entry.absolute, byChannel(sums.absolute, weights, this.group), false);
      accumulate(entry.elementwise, byChannel(sums.squares, weights, this.group), false);
    }
    for (const gate of this.gates) {
      const total = new Float64Array(this.group.size);
      for (const member of gate.members) accumulate(total, signedOf.get(member) ?? [], false);
      accumulate(gate.squared, total, true);
    }
  }

  result(batches: number, means: ReadonlyMap<string, Float32Array>) {
    const mean = (sums: Float64Array): Float64Array => sums.map((sum) => sum / batches);
    const gradients = this.members.map(
      ({ weights, name, squared, absolute, elementwise }): MemberSensitivity => {
        const gradient = means.get(name);
        const total = gradient
          ? byChannel(productSums(gradient, weights.values, weights).absolute, weights, this.group)
          : new Float64Array(this.group.size);
        const { member, role } = weights;
        return { member, role, squared: mean(squared), absolute: mean(absolute), elementwise: mean(elementwise), total }; // prettier-ignore
      },
    );
    return { gradients, gates: this.gates.map(({ squared }) => mean(squared)) };
  }
}

interface MemberEntry {
  readonly weights: MemberWeights;
  readonly name: string;
  readonly squared: Float64Array;
  readonly absolute: Float64Array;
  readonly elementwise: Float64Array;
}

interface Gate {
  readonly members: readonly MemberEntry[];
  readonly squared: Float64Array;
}

/**
 * Scaling a node's output channel by z scales the weights that make it: ∂L/∂z at z = 1 is Σ g·w over them, shifts
 * included. After a normalisation layer that is the gate; else after what produces the channel.
 */
export function gateMembers(members: readonly Member[]): Member[][] {
  const key = members.some(({ role }) => role === 'scale') ? 'scale' : 'produce';
  const nodes = new Set(members.filter(({ role }) => role === key).map(({ parameter }) => parameter.node));
  return [...nodes].map((node) =>
    members.filter(({ role, parameter }) => parameter.node === node && (role === key || role === 'shift')),
  );
}

function accumulate(into: Float64Array, values: ArrayLike<number>, square: boolean): void {
  for (let i = 0; i < values.length; i++) into[i]! += square ? values[i]! ** 2 : values[i]!;
}
