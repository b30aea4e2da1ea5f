import { nodeLabel } from '../onnx/names.js';
import { isFloat, type DataType } from '../onnx/data-type.js';
import type { Model, Node } from '../onnx/model.js';
import { has } from '../ops/index.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { difference, differencesAlong, isEqual, sameDims, sizesAlong, type Difference, type Kept } from './difference.js'; // prettier-ignore
import type { ProofFailure } from './report.js';
import {
  cancellation,
  deadBelow,
  defaultTolerance,
  inheritedTolerances,
  pointwiseRounding,
  saturatedBelow,
  smallestHalfChannel,
  smallestSizes,
  usualRounding,
} from './tolerance.js';

/** A tensor that differs by more than its tolerance. */
export interface Disagreement {
  readonly failure: ProofFailure;
  /** Largest difference; NaN where that is no number, or where shapes or integers differ. */
  readonly max: number;
  /** Where the tensor agrees as a whole: the channels that don't on their own scale. */
  readonly channels?: Channels;
}

/** Positions of an axis with the largest difference at each. */
export interface Channels {
  readonly axis: number;
  readonly differences: ReadonlyMap<number, number>;
}

export interface JudgeOptions {
  readonly pruned: Model;
  readonly dtypeOf: (value: string) => DataType | undefined;
  /** Relative to the largest absolute value of a tensor or channel. Default by dtype. */
  readonly tolerance: number | undefined;
}

/** Compares tensors, and keeps account of which of them could have told a difference. */
export class Judge {
  /** Comparisons of tensors that were alive. */
  compared = 0;
  maxError = 0;
  worst: string | undefined = undefined;
  /** Tensors that held something in some run, and agreed. */
  readonly alive = new Set<string>();
  /** Tensors that held nothing that could differ, in every run so far, and why. */
  readonly dead = new Map<string, string>();
  private readonly scales = new Map<string, number>();
  private readonly channels = new Map<string, ReadonlyMap<number, Float64Array>>();
  private readonly smallest: ReadonlyMap<string, number>;
  private readonly inherited: ReadonlyMap<string, number>;
  private readonly writers = new Map<string, Node>();

  constructor(private readonly options: JudgeOptions) {
    const { graph } = options.pruned;
    this.smallest = smallestSizes(graph);
    this.inherited = inheritedTolerances(graph, options.dtypeOf);
    for (const node of graph.nodes) for (const name of node.outputs) this.writers.set(name, node);
  }

  /** @param kept positions of the masked original's tensor that the pruned model has. */
  compare(name: string, pruned: Tensor, masked: Tensor, kept: Kept): Disagreement | undefined {
    if (!isFloat(masked.dtype)) return this.compareExactly(name, pruned, masked, kept);
    const found = isFloat(pruned.dtype) ? difference(pruned, masked, kept) : undefined;
    if (!found) return this.misshapen(name, pruned);
    const { max, scale } = found;
    const floor = Math.max(deadBelow, this.smallest.get(name) ?? 0);
    if (Number.isNaN(max)) {
      const what = 'holds NaN or infinity where the masked original has other numbers';
      return { failure: this.failure(name, what), max };
    }
    const dead = this.whyDead(name, found);
    if (dead !== undefined && !(max >= deadBelow)) {
      if (!this.alive.has(name)) this.dead.set(name, dead);
      return undefined;
    }
    const tolerance =
      this.options.tolerance ?? Math.max(defaultTolerance(masked.dtype), this.inherited.get(name) ?? 0);
    this.scales.set(name, scale);
    const terms = this.inputsOf(name).map((term) => this.scales.get(term) ?? 0);
    const error = max / Math.max(scale, cancellation * Math.max(0, ...terms), floor);
    if (!(error <= tolerance)) {
      const what = `differs from the masked original by ${max.toExponential(2)}, of at most ${scale.toExponential(2)}`;
      return { failure: this.failure(name, what), max };
    }
    this.agree(name);
    if (error > this.maxError) {
      this.maxError = error;
      this.worst = name;
    }
    return this.compareChannels(name, found, kept, tolerance, floor);
  }

  /** Takes back that a tensor was compared: its difference says nothing. */
  discard(name: string, why: string): void {
    if (!this.alive.has(name)) this.dead.set(name, why);
  }

  failure(value: string, what: string): ProofFailure {
    const { nodes } = this.options.pruned.graph;
    const index = nodes.findIndex((node) => node.outputs.includes(value));
    const node = nodes[index];
    const message = `'${value}' ${what}`;
    return {
      kind: 'value',
      value,
      node: node ? nodeLabel(node, index) : '',
      op: node?.opType ?? '',
      message,
    };
  }

  private agree(name: string): void {
    this.compared++;
    this.alive.add(name);
    this.dead.delete(name);
  }

  private compareExactly(name: string, pruned: Tensor, masked: Tensor, kept: Kept): Disagreement | undefined {
    if (!isEqual(pruned, masked, kept)) {
      const expected = masked.dims.map((dim, axis) => kept.get(axis)?.length ?? dim);
      if (pruned.dtype === masked.dtype && !sameDims(pruned.dims, expected))
        return this.misshapen(name, pruned);
      return { failure: this.failure(name, `of type ${masked.dtype} differs from the original`), max: NaN };
    }
    const holds =
      masked.data.storage === 'strings' ? elementCount(masked.dims) > 0 : masked.data.bytes().some(Boolean);
    if (holds) this.agree(name);
    else if (!this.alive.has(name))
      this.dead.set(name, elementCount(masked.dims) === 0 ? 'it is empty' : 'it is zero');
    return undefined;
  }

  private misshapen(name: string, { dims }: Tensor): Disagreement {
    const what = `has shape [${dims.join(', ')}], which is not that of the kept channels`;
    return { failure: this.failure(name, what), max: NaN };
  }

  /** Why the values of a tensor could not have shown a difference; undefined if they could. */
  private whyDead(name: string, { scale, spread, isFinite, expected }: Difference): string | undefined {
    if (expected.length === 0) return 'it is empty';
    if (!isFinite) return 'it holds no finite number';
    if (scale < deadBelow) return 'it is near zero';
    const writer = this.writers.get(name);
    const isSaturating = writer !== undefined && has(writer, 'saturates') && expected.length > 1;
    return isSaturating && spread < saturatedBelow ? 'it is saturated' : undefined;
  }

  /** Each channel against its own size: a large one must not hide what a small one holds. */
  private compareChannels(
    name: string,
    found: Difference,
    kept: Kept,
    tolerance: number,
    floor: number,
  ): Disagreement | undefined {
    const { dims, expected, max, scale } = found;
    const sizes = new Map(channelAxes(dims, kept).map((axis) => [axis, sizesAlong(expected, dims, axis)]));
    this.channels.set(name, sizes);
    // A half rounds what goes into a channel to a share of the largest of it.
    const least =
      tolerance > defaultTolerance('float32') ? Math.max(floor, smallestHalfChannel * scale) : floor;
    if (max <= tolerance * least) return undefined;
    for (const [axis, own] of sizes) {
      const differences = differencesAlong(found, axis);
      const before = this.pointwiseSizes(name, axis, own.length);
      const usual = usualRounding * usualSize(own);
      const wrong = new Map<number, number>();
      differences.forEach((delta, c) => {
        const rounding = Math.max(usual, pointwiseRounding * (before?.[c] ?? 0));
        if (delta > Math.max(tolerance * Math.max(own[c]!, least), rounding)) wrong.set(c, delta);
      });
      if (wrong.size === 0) continue;
      const [c, delta] = [...wrong].reduce((a, b) => (b[1] / own[b[0]]! > a[1] / own[a[0]]! ? b : a));
      const what = `differs from the masked original by ${delta.toExponential(2)} in channel ${c} of axis ${axis}, which holds at most ${own[c]!.toExponential(2)}`;
      return { failure: this.failure(name, what), max, channels: { axis, differences: wrong } };
    }
    return undefined;
  }

  /** Sizes of the channels that a pointwise op made these of. */
  private pointwiseSizes(name: string, axis: number, length: number): Float64Array | undefined {
    const writer = this.writers.get(name);
    if (!writer || !has(writer, 'pointwise')) return undefined;
    let largest: Float64Array | undefined;
    for (const input of this.inputsOf(name)) {
      const sizes = this.channels.get(input)?.get(axis);
      if (sizes?.length !== length) continue;
      largest = largest ? largest.map((size, c) => Math.max(size, sizes[c]!)) : sizes;
    }
    return largest;
  }

  private inputsOf(name: string): readonly string[] {
    return this.writers.get(name)?.inputs ?? [];
  }
}

/** The upper quartile of the channels' sizes: a few that are much larger don't count. */
function usualSize(sizes: Float64Array): number {
  return Float64Array.from(sizes).sort()[Math.floor(0.75 * (sizes.length - 1))]!;
}

/** The axes that lose something; where none does, those that usually hold channels. */
function channelAxes(dims: readonly number[], kept: Kept): number[] {
  const axes = kept.size > 0 ? [...kept.keys()] : dims.length < 2 ? [] : [1, dims.length - 1];
  return [...new Set(axes)].filter((axis) => dims[axis]! > 1);
}
