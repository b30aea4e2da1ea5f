import { intAttribute, intsAttribute, stringAttribute } from '../onnx/attributes.js';
import type { Node } from '../onnx/model.js';
import type { Emitter } from './emitter.js';
import { product, range } from './rule.js';

/** Where the windows of a convolution or pooling lie: output position o reads o·stride + k·dilation − begin. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  /** Spatial sizes on the side with one value per window, and on the side that windows read. */
  readonly positions: readonly number[];
  readonly sizes: readonly number[];
}

/**
 * The windows of a node between a large side (`sizes`, what a Conv reads) and a small side (`positions`, what it
 * writes). `auto_pad` is resolved from the sizes.
 */
export function windowsOf(
  node: Node,
  kernel: readonly number[],
  sizes: readonly number[],
  positions: readonly number[],
): Windows {
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, 'strides', ones);
  const dilations = intsAttribute(node, 'dilations', ones);
  const autoPad = stringAttribute(node, 'auto_pad', 'NOTSET');
  const pads = intsAttribute(node, 'pads', [...ones, ...ones].fill(0));
  const begins = kernel.map((k, i) => {
    if (autoPad === 'NOTSET') return pads[i]!;
    if (autoPad === 'VALID') return 0;
    const total = Math.max(0, (positions[i]! - 1) * strides[i]! + (k - 1) * dilations[i]! + 1 - sizes[i]!);
    return autoPad === 'SAME_LOWER' ? Math.ceil(total / 2) : Math.floor(total / 2);
  });
  return { kernel, strides, dilations, begins, positions, sizes };
}

export const groupsOf = (node: Node): number => intAttribute(node, 'group', 1);

/** How far the windows reach past the far end (negative where they leave something unread). */
function overhang({ kernel, strides, dilations, begins, positions, sizes }: Windows): number[] {
  return kernel.map(
    (k, i) => (positions[i]! - 1) * strides[i]! + (k - 1) * dilations[i]! + 1 - begins[i]! - sizes[i]!,
  );
}

/** Attributes of a ConvTranspose from the small side to the large side. */
export function spreadAttributes(windows: Windows): Record<string, readonly number[]> {
  const over = overhang(windows);
  return {
    kernel_shape: windows.kernel,
    strides: windows.strides,
    dilations: windows.dilations,
    pads: [...windows.begins, ...over.map((n) => Math.max(0, n))],
    output_padding: over.map((n) => Math.max(0, -n)),
  };
}

/** Attributes of a Conv from the large side to the small side. */
export function gatherAttributes(windows: Windows): Record<string, readonly number[]> {
  return {
    kernel_shape: windows.kernel,
    strides: windows.strides,
    dilations: windows.dilations,
    pads: [...windows.begins, ...overhang(windows).map((n) => Math.max(0, n))],
  };
}

/**
 * Attributes of a Conv from the small side to the large side with the kernel turned round: of stride 1 that is what a
 * ConvTranspose computes, and onnxruntime does it 1.5 times as fast, of depthwise kernels 10 times. Undefined for other
 * strides, and where windows reach past the padding.
 */
export function turnedAttributes(windows: Windows): Record<string, readonly number[]> | undefined {
  const { kernel, strides, dilations, begins, positions, sizes } = windows;
  const reach = kernel.map((k, i) => (k - 1) * dilations[i]!);
  const before = reach.map((n, i) => n - begins[i]!);
  const after = reach.map((n, i) => sizes[i]! - positions[i]! - before[i]! + n);
  if (strides.some((s) => s !== 1) || [...before, ...after].some((n) => n < 0)) return undefined;
  return { kernel_shape: kernel, dilations, pads: [...before, ...after] };
}

/** A kernel [groups · a, b, …] as [groups · b, a, …] with every spatial axis reversed. */
export function turned(e: Emitter, kernel: string, dims: readonly number[], groups: number): string {
  const [rows, b, ...spatial] = dims as [number, number, ...number[]];
  const a = rows / groups;
  const axes = range(spatial.length).map((i) => i + 2);
  const split = e.reshape(kernel, [groups, a, b, ...spatial]);
  const swapped = e.reshape(e.transpose(split, [0, 2, 1, ...axes.map((i) => i + 1)]), [
    groups * b,
    a,
    ...spatial,
  ]);
  if (spatial.every((k) => k === 1)) return swapped;
  const last = spatial.map((k) => k - 1);
  return e.slice(swapped, axes, last, spatial.map((k) => -k - 1), spatial.map(() => -1)); // prettier-ignore
}

/** Sizes of a correlation: examples, groups, and channels of a group on the small (a) and on the large side (b). */
export interface CorrelationSizes {
  readonly n: number;
  readonly groups: number;
  readonly a: number;
  readonly b: number;
}

/**
 * Σ over examples and positions of small(group, a) · large(group, b, offset): the weight gradient of a convolution, as
 * [group · a, b, …kernel]. Each offset of the kernel is one product of matrices over all examples at once, so that no
 * gradient per example is ever made, nor all windows side by side. As a convolution with swapped axes it ran at a third
 * of the speed.
 */
export function correlate(
  e: Emitter,
  large: string,
  small: string,
  windows: Windows,
  sizes: CorrelationSizes,
): string {
  const { groups, a, b } = sizes;
  const isUnit = windows.strides.every((s) => s === 1);
  if (!isUnit && a === 1 && b === 1) return correlateDepthwise(e, large, small, windows, sizes);
  const { rows, columns } = (isUnit ? laidEndToEnd : picked)(e, large, small, windows, sizes);
  const count = columns.length;
  const times = (column: string): string => e.op('MatMul', [rows, e.transpose(column, [0, 2, 1])]);
  const dims = [groups * a, b, ...windows.kernel];
  if (count === 1) return e.reshape(times(columns[0]!), dims);
  // Few rows leave a product's setting up no time to pay off: all offsets in one. onnxruntime packs the second factor.
  if (groups === 1 && a <= 32) {
    const all = e.op('MatMul', [e.op('Concat', columns, { axis: 1 }), e.transpose(rows, [0, 2, 1])]);
    return e.reshape(e.transpose(e.reshape(all, [count, b, a]), [2, 1, 0]), dims);
  }
  const products = columns.map((column) => e.reshape(times(column), [groups * a, b, 1]));
  return e.reshape(e.op('Concat', products, { axis: 2 }), dims);
}

/** Both sides as matrices: rows [groups, a, length], and for each offset of the kernel [groups, b, length]. */
interface Sides {
  readonly rows: string;
  readonly columns: readonly string[];
}

/**
 * Stride 1: all examples of a channel lie end to end with gaps of zeros, so that a kernel offset is the same shift
 * everywhere, and a slice is one run of memory a channel.
 */
function laidEndToEnd(
  e: Emitter,
  large: string,
  small: string,
  windows: Windows,
  { n, groups, a, b }: CorrelationSizes,
): Sides {
  const { kernel, dilations, begins, positions, sizes } = windows;
  const over = overhang(windows);
  // Neighbouring rows share a gap, as wide as the larger of the paddings.
  const pitch = sizes.map((size, i) => Math.max(positions[i]!, size + Math.max(begins[i]!, over[i]!)));
  const length = n * product(pitch);
  const steps = pitch.map((_, i) => product(pitch.slice(i + 1)));
  const lay = (value: string, from: readonly number[], groupSize: number): string => {
    const gaps = pitch.map((p, i) => p - from[i]!);
    const zeros = [0, 0, ...gaps.map(() => 0), 0, 0, ...gaps];
    const spaced = gaps.every((gap) => gap === 0) ? value : e.op('Pad', [value, e.ints(zeros), e.scalar(0)]);
    return e.reshape(channelsFirst(e, spaced, kernel.length), [groups, groupSize, length]);
  };
  const offsets = offsetsOf(windows).map((offset) => offset.reduce((sum, k, i) => sum + (k * dilations[i]! - begins[i]!) * steps[i]!, 0)); // prettier-ignore
  const before = Math.max(0, -Math.min(...offsets));
  const after = Math.max(0, ...offsets);
  let flat = lay(large, sizes, b);
  if (before + after > 0) flat = e.op('Pad', [flat, e.ints([0, 0, before, 0, 0, after]), e.scalar(0)]);
  const columns = offsets.map((offset) => before + after === 0 ? flat : e.slice(flat, [2], [before + offset], [before + offset + length])); // prettier-ignore
  return { rows: lay(small, positions, a), columns };
}

/** Other strides: what each offset reads, by a strided slice. */
function picked(
  e: Emitter,
  large: string,
  small: string,
  windows: Windows,
  { n, groups, a, b }: CorrelationSizes,
): Sides {
  const { kernel, strides, dilations, positions } = windows;
  const length = n * product(positions);
  const wide = channelsFirst(e, padded(e, large, windows), kernel.length);
  const axes = range(kernel.length).map((i) => i + 2);
  const columns = offsetsOf(windows).map((offset) => {
    const starts = offset.map((k, i) => k * dilations[i]!);
    const ends = starts.map((start, i) => start + (positions[i]! - 1) * strides[i]! + 1);
    return e.reshape(e.slice(wide, axes, starts, ends, strides), [groups, b, length]);
  });
  return { rows: e.reshape(channelsFirst(e, small, kernel.length), [groups, a, length]), columns };
}

/** One channel a group: a convolution of each plane of the large side with that of the small side as its kernel. */
function correlateDepthwise(
  e: Emitter,
  large: string,
  small: string,
  windows: Windows,
  { n, groups }: CorrelationSizes,
): string {
  const { kernel, strides, dilations, begins, positions, sizes } = windows;
  const group = n * groups;
  const over = overhang(windows).map((size) => Math.max(0, size));
  const planes = e.op(
    'Conv',
    [e.reshape(large, [1, group, ...sizes]), e.reshape(small, [group, 1, ...positions])],
    { kernel_shape: positions, strides: dilations, dilations: strides, pads: [...begins, ...over], group },
  );
  const axes = range(kernel.length).map((i) => i + 2);
  const cut = e.slice(planes, axes, axes.map(() => 0), kernel); // prettier-ignore
  return e.reshape(e.sum(e.reshape(cut, [n, groups, ...kernel]), [0]), [groups, 1, ...kernel]);
}

function channelsFirst(e: Emitter, value: string, spatial: number): string {
  return e.transpose(value, [1, 0, ...range(spatial).map((i) => i + 2)]);
}

/** Kernel coordinates in row-major order. */
function offsetsOf({ kernel }: Windows): number[][] {
  let offsets: number[][] = [[]];
  for (const k of kernel) offsets = offsets.flatMap((outer) => range(k).map((i) => [...outer, i]));
  return offsets;
}

/** The large side with its padding, so that every window lies inside. */
function padded(e: Emitter, value: string, windows: Windows): string {
  const over = overhang(windows).map((n) => Math.max(0, n));
  if ([...windows.begins, ...over].every((n) => n === 0)) return value;
  const pads = [0, 0, ...windows.begins, 0, 0, ...over];
  return e.op('Pad', [value, e.ints(pads), e.scalar(0)]);
}
