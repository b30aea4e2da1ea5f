import { intAttribute, intsAttribute, stringAttribute } from '../onnx/attributes.js';
import type { Node } from '../onnx/model.js';
import type { Emitter } from './emitter.js';
import { range } from './rule.js';

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
