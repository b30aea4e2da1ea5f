import type { Factor } from '../axes/axis.js';
import type { CostModel } from '../cost/cost.js';
import { evaluate, polynomialKey, type Monomial } from '../cost/polynomial.js';
import type { Member, PruningGroup } from '../groups/group.js';
import type { MultipleRule } from './multiples.js';

/** The distinct extents of the weight axes that a group appears in. */
type Extent = readonly Monomial[];

export interface Aligned {
  /** Kept channels of each carrier. */
  readonly kept: Int32Array;
  /** Per carrier: 1 where every axis it appears in is as it should be. */
  readonly aligned: Uint8Array;
}

/**
 * Keeps counts within what the axes of the weights allow: not below a minimum, and multiples of `roundTo`.
 * Both act on the whole axis: on `(12 heads · 64)` 48 of 64 head dims are a multiple of 64.
 */
export class Alignment {
  /** Fewest channels each carrier may keep. */
  readonly least: Int32Array;
  /** What the axes of each carrier are to be multiples of. */
  readonly multiples: readonly number[];
  private readonly extents: readonly (readonly Extent[])[];
  private readonly indexOf: ReadonlyMap<Factor, number>;

  constructor(
    cost: CostModel,
    private readonly carriers: readonly PruningGroup[],
    roundTo: number | MultipleRule,
    minChannels: number,
    maxRatio: number,
  ) {
    const weights = new Set<unknown>();
    for (const use of cost.operands) weights.add(use.source.tied ? use.source.name : use);
    // Only a minimum or a multiple asks for them.
    const unconstrained = roundTo === 1 && minChannels === 1;
    this.extents = carriers.map((group) => (unconstrained ? [] : extentsOf(cost, weights, group)));
    this.multiples = carriers.map((group, i) =>
      typeof roundTo === 'number' ? roundTo : roundTo(widthOf(group, this.extents[i]!)),
    );
    this.indexOf = new Map(carriers.map(({ factor }, i) => [factor, i]));
    this.least = Int32Array.from(carriers, (group, i) =>
      Math.max(
        1,
        group.pinned?.reduce((count, stays) => count + stays, 0) ?? 0,
        group.size - Math.floor(group.size * maxRatio),
        leastFor(group, this.extents[i]!, minChannels),
      ),
    );
  }

  /**
   * The counts nearest to `target` whose axes are multiples of `roundTo`, ties keeping more. An axis that no count
   * can align is left out; a group none of whose axes can be aligned stays whole. Groups that lose nothing are
   * left as they are.
   */
  align(target: Int32Array): Aligned {
    const kept = target.map((count, i) => Math.max(count, this.least[i]!));
    const aligned = new Uint8Array(kept.length).fill(1);
    if (this.multiples.every((multiple) => multiple === 1)) return { kept, aligned };
    const decided = new Uint8Array(kept.length);
    // Groups that stay whole are settled before those that have to fit to them.
    this.carriers.forEach(({ size }, i) => {
      if (kept[i] === size) decided[i] = 1;
    });
    for (let i = 0; i < kept.length; i++) {
      if (decided[i]) continue;
      if (this.multiples[i] === 1) {
        decided[i] = 1;
        continue;
      }
      const wanted = kept[i]!;
      const { feasible, failed } = this.feasible(i, kept, decided);
      kept[i] = feasible.length > 0 ? nearest(feasible, wanted) : this.carriers[i]!.size;
      aligned[i] = failed === 0 ? 1 : 0;
      decided[i] = 1;
    }
    return { kept, aligned };
  }

  /**
   * The counts, ascending, that a carrier may keep while all others are free too; the last is its size.
   * Where carriers lie side by side on an axis, each is taken as a multiple by itself.
   */
  levels(carrier: number): Int32Array {
    const { size } = this.carriers[carrier]!;
    const least = this.least[carrier]!;
    if (this.multiples[carrier] === 1)
      return Int32Array.from({ length: size - least + 1 }, (_, i) => least + i);
    const open = new Uint8Array(this.carriers.length);
    const { feasible } = this.feasible(carrier, this.least, open);
    const below = feasible.filter((count) => count < size);
    return Int32Array.of(...below, size);
  }

  /** Number of axes of one carrier that are not multiples. */
  misaligned(carrier: number, kept: Int32Array): number {
    const multiple = this.multiples[carrier]!;
    if (multiple === 1) return 0;
    const count = (factor: Factor): number => kept[this.indexOf.get(factor) ?? -1] ?? factor.size;
    return this.extents[carrier]!.filter((extent) => evaluate(extent, count) % multiple !== 0).length;
  }

  /** Counts, ascending, that align as many axes as can be aligned together; none if every axis fails. */
  private feasible(
    carrier: number,
    kept: Int32Array,
    decided: Uint8Array,
  ): { feasible: readonly number[]; failed: number } {
    const { factor, size } = this.carriers[carrier]!;
    const extents = this.extents[carrier]!;
    let feasible = Array.from(
      { length: size - this.least[carrier]! + 1 },
      (_, i) => this.least[carrier]! + i,
    );
    let failed = 0;
    for (const extent of extents) {
      const ok = this.isMultiple(carrier, extent, factor, kept, decided);
      const narrowed = feasible.filter(ok);
      if (narrowed.length > 0) feasible = narrowed;
      else failed++;
    }
    return { feasible: failed < extents.length ? feasible : [], failed };
  }

  /**
   * Tells for a count of `factor` whether the axis is a multiple. What other carriers that are still open add
   * beside it is taken as a multiple by itself; what multiplies it is taken at full size.
   */
  private isMultiple(
    carrier: number,
    extent: Extent,
    factor: Factor,
    kept: Int32Array,
    decided: Uint8Array,
  ): (count: number) => boolean {
    const multiple = this.multiples[carrier]!;
    const isOpen = (other: Factor): boolean => {
      const index = this.indexOf.get(other);
      return index !== undefined && !decided[index];
    };
    const countOf = (other: Factor): number => {
      const index = this.indexOf.get(other);
      return index !== undefined && decided[index] ? kept[index]! : other.size;
    };
    const own: { coefficient: number; power: number }[] = [];
    let rest = 0;
    for (const { coefficient, variables } of extent) {
      const power = variables.filter((variable) => variable === factor).length;
      if (power === 0 && variables.some(isOpen)) continue;
      const value = variables.reduce((x, v) => (v === factor ? x : x * countOf(v)), coefficient);
      if (power === 0) rest += value;
      else own.push({ coefficient: value, power });
    }
    return (count) => own.reduce((x, m) => x + m.coefficient * count ** m.power, rest) % multiple === 0;
  }
}

/** The same for the widest axis, with everything else at full size. */
function widthOf({ size }: PruningGroup, extents: readonly Extent[]): number {
  return Math.max(size, ...extents.map((extent) => evaluate(extent, (factor) => factor.size)));
}

/** The candidate nearest to a count; of two equally near ones the larger. */
function nearest(ascending: readonly number[], wanted: number): number {
  let best = ascending[0]!;
  for (const candidate of ascending)
    if (Math.abs(candidate - wanted) <= Math.abs(best - wanted)) best = candidate;
  return best;
}

/**
 * Axes that the group fills alone come first: they are the last to be given up. Where it is nested in another
 * factor, the nested axis is what counts: an axis inside the groups of a convolution has no layout of its own.
 */
function extentsOf(cost: CostModel, weights: ReadonlySet<unknown>, group: PruningGroup): Extent[] {
  const isWeight = ({ parameter }: Member): boolean =>
    weights.has(parameter.source.tied ? parameter.source.name : parameter);
  const found = group.members.filter(isWeight);
  const distinct = new Map<string, Extent>();
  for (const { parameter, axis } of found.length > 0 ? found : group.members) {
    const extent = cost.extentOf(parameter.axes[axis]!);
    distinct.set(polynomialKey(extent), extent);
  }
  const extents = [...distinct.values()].sort((a, b) => a.length - b.length);
  const isNested = ({ variables }: Monomial): boolean =>
    variables.length > 1 && variables.includes(group.factor);
  const nested = extents.filter((extent) => extent.some(isNested));
  return nested.length > 0 ? nested : extents;
}

/** Fewest channels such that every stretch of an axis with the group has the minimum, everything else being whole. */
function leastFor({ factor, size }: PruningGroup, extents: readonly Extent[], minimum: number): number {
  let least = 1;
  for (const extent of extents)
    for (const { coefficient, variables } of extent) {
      if (!variables.includes(factor)) continue;
      const others = variables.reduce((x, v) => (v === factor ? x : x * v.size), coefficient);
      least = Math.max(least, Math.ceil(minimum / others));
    }
  return Math.min(least, size);
}
