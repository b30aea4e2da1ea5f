import type { Emitter } from './emitter.js';
import { product, range } from './rule.js';
import type { Windows } from './windows.js';

/** Sizes of a correlation: examples, groups, and channels of a group on the small (a) and on the large side (b). */
export interface CorrelationSizes {
  readonly n: number;
  readonly groups: number;
  readonly a: number;
  readonly b: number;
}

/**
 * Σ over examples and positions of small(group, a) · large(group, b, offset): the weight gradient of a convolution, as
 * [group · a, b, …kernel]. As a convolution with swapped axes it ran at a third of the speed of the products of
 * matrices that are made here.
 */
export function correlate(
  e: Emitter,
  large: string,
  small: string,
  windows: Windows,
  sizes: CorrelationSizes,
): string {
  const { kernel, begins, dilations } = windows;
  const channels = [sizes.groups * sizes.a, sizes.b];
  const taps = kernel.map((_, axis) => readingTaps(windows, axis));
  if (taps.some(([first, end]) => first >= end)) return e.zeros([...channels, ...kernel]);
  const reading: Windows = {
    ...windows,
    kernel: taps.map(([first, end]) => end - first),
    begins: begins.map((begin, i) => begin - taps[i]![0] * dilations[i]!),
  };
  const isInside = sizes.n > 1 && sumsInside(reading, sizes);
  const turn = (value: string): string =>
    isInside ? e.transpose(value, [1, 0, ...range(kernel.length).map((i) => i + 2)]) : value;
  const layout: Layout = { batch: isInside ? 1 : sizes.n, outer: isInside ? 1 : 2, ...sizes };
  const isUnit = windows.strides.every((stride) => stride === 1);
  const products = (isUnit ? correlateUnit : correlateStrided)(e, turn(large), turn(small), reading, layout);
  const found = e.reshape(products, [...channels, ...reading.kernel]);
  const before = taps.map(([first]) => first);
  const after = taps.map(([, end], i) => kernel[i]! - end);
  return pad(e, found, [0, 0, ...before], [0, 0, ...after]);
}

/** Taps of the kernel that read anything but padding, as of dilated kernels few do: from the first to before the last. */
function readingTaps(
  { kernel, strides, dilations, begins, positions, sizes }: Windows,
  axis: number,
): readonly [number, number] {
  const [dilation, begin] = [dilations[axis]!, begins[axis]!];
  const span = (positions[axis]! - 1) * strides[axis]!;
  const first = Math.max(0, Math.ceil((begin - span) / dilation));
  const end = Math.min(kernel[axis]!, Math.ceil((sizes[axis]! + begin) / dilation));
  return [first, end];
}

/** Whether sums over examples had better be part of the products, though both sides are turned round for that. */
function sumsInside({ kernel, positions }: Windows, { a, b }: CorrelationSizes): boolean {
  return (a === 1 && b === 1) || product(kernel) * a * b > product(positions) * (a + b);
}

/**
 * Sides are [n, channels, …spatial], with two axes before those that windows move along and a product per example; or
 * turned round, where the examples are one more axis to move along and there is a single product.
 */
interface Layout extends CorrelationSizes {
  readonly batch: number;
  readonly outer: number;
}

/** How a side is read along one axis: how many positions it has, and by how much they are shifted for each tap. */
interface Moves {
  readonly held: number;
  readonly shifts: readonly number[];
}

const still = (held: number): Moves => ({ held, shifts: [0] });

/**
 * Stride 1: both sides are laid out with rows of one length, so that an offset of the kernel is the same shift
 * everywhere and a slice is one run of memory a channel. The sum over p of small(p) · large(p + y + x) is that of
 * small(p − y) · large(p + x): one axis may be shifted on the small side, so that k² offsets take 2k slices.
 */
function correlateUnit(e: Emitter, large: string, small: string, windows: Windows, layout: Layout): string {
  const { kernel, dilations, begins, positions, sizes } = windows;
  const { a, b, n, outer } = layout;
  const shifts = kernel.map((count, i) => range(count).map((tap) => tap * dilations[i]! - begins[i]!));
  const first = kernel.findIndex((count) => count > 1);
  const taps = product(kernel);
  const split = first >= 0 && a * kernel[first]! + (b * taps) / kernel[first]! < b * taps ? first : -1;
  const examples = outer === 1 ? [still(n)] : [];
  const wide = sizes.map((held, i) => (i === split ? still(held) : { held, shifts: shifts[i]! }));
  const narrow = positions.map((held, i) =>
    i === split ? { held, shifts: shifts[i]!.map((shift) => -shift) } : still(held),
  );
  const pitches = kernel.map((_, i) => (i === split ? pitchOf(narrow[i]!, wide[i]!.held) : pitchOf(wide[i]!, narrow[i]!.held))); // prettier-ignore
  // The outermost axis needs no gaps.
  const rows = outer === 1 ? n : split === 0 ? sizes[0]! : positions[0]!;
  const shape = outer === 1 ? [n, ...pitches] : [rows, ...pitches.slice(1)];
  const parts = (value: string, channels: number, moves: readonly Moves[]): string[] =>
    shifted(e, value, channels, [...examples, ...moves], shape, layout);
  return multiply(e, parts(small, a, narrow), parts(large, b, wide), product(shape), layout);
}

/** Taps of one axis that read positions a multiple of the stride apart. */
interface Phase {
  readonly taps: readonly number[];
  /** Where the first of them starts in the padded large side. */
  readonly start: number;
  /** Distance between them, in strides. */
  readonly dilation: number;
}

/** Stride s: s correlations of stride 1 an axis, each of what every s-th position of the large side holds. */
function correlateStrided(
  e: Emitter,
  large: string,
  small: string,
  windows: Windows,
  layout: Layout,
): string {
  const { kernel, strides, begins, positions, sizes } = windows;
  const { n, a, b, outer } = layout;
  const phases = kernel.map((_, axis) => phasesOf(windows, axis));
  const held = positions.map((count, i) => count + Math.max(...phases[i]!.map(reachOf)));
  const examples = outer === 1 ? [still(n)] : [];
  const shape = outer === 1 ? [n, ...held] : [positions[0]!, ...held.slice(1)];
  // Shifts along inner axes read past the last row.
  if (outer === 2 && kernel.length > 1) held[0]!++;

  const ends = held.map((count, i) => phases[i]!.at(-1)!.start + (count - 1) * strides[i]! + 1);
  const leading = new Array<number>(2).fill(0);
  const padded = pad(e, large, [...leading, ...begins], [...leading, ...ends.map((end, i) => end - begins[i]! - sizes[i]!)]); // prettier-ignore
  const axes = range(kernel.length).map((i) => i + 2);
  const order: number[] = [];
  const wide = combinations(phases).flatMap((own) => {
    const starts = own.map(({ start }) => start);
    const every = e.slice(padded, axes, starts, starts.map((start, i) => start + (held[i]! - 1) * strides[i]! + 1), strides); // prettier-ignore
    for (const taps of combinations(own.map(({ taps }) => taps)))
      order.push(taps.reduce((index, tap, i) => index * kernel[i]! + tap, 0));
    const moves = own.map(({ taps, dilation }, i) => ({ held: held[i]!, shifts: taps.map((_, k) => k * dilation) })); // prettier-ignore
    return shifted(e, every, b, [...examples, ...moves], shape, layout);
  });
  const narrow = shifted(e, small, a, [...examples, ...positions.map(still)], shape, layout);
  const products = multiply(e, narrow, wide, product(shape), layout);
  if (order.every((tap, i) => tap === i)) return products;
  const flat = e.reshape(products, [layout.groups * a * b, order.length]);
  return e.gather(flat, e.ints(order.map((_, tap) => order.indexOf(tap))), 1);
}

function phasesOf({ kernel, strides, dilations }: Windows, axis: number): Phase[] {
  const [count, stride, dilation] = [kernel[axis]!, strides[axis]!, dilations[axis]!];
  const common = divisor(stride, dilation);
  const apart = stride / common;
  return range(Math.min(apart, count)).map((first) => ({
    taps: range(Math.ceil((count - first) / apart)).map((k) => first + k * apart),
    start: first * dilation,
    dilation: dilation / common,
  }));
}

const reachOf = ({ taps, dilation }: Phase): number => (taps.length - 1) * dilation;

/** Length of a row of which `count` positions matter: what is read past an end lies in the gap before the next row. */
function pitchOf({ held, shifts }: Moves, count: number): number {
  return Math.max(count, held + Math.max(0, -Math.min(...shifts), count + Math.max(...shifts) - held));
}

/**
 * A side laid out in rows, as [batch, group, channel, row-major], once for each combination of its shifts.
 * @param shape of what is added up: of rows with their gaps
 */
function shifted(
  e: Emitter,
  value: string,
  channels: number,
  moves: readonly Moves[],
  shape: readonly number[],
  { batch, groups, outer }: Layout,
): string[] {
  const steps = shape.map((_, i) => product(shape.slice(i + 1)));
  const length = product(shape);
  const offsets = combinations(moves.map(({ shifts }) => shifts)).map((shifts) =>
    shifts.reduce((sum, shift, i) => sum + shift * steps[i]!, 0),
  );
  // Along the outermost axis as many rows of zeros as are read past the ends.
  const rows = moves[0]!.held;
  const before = Math.max(0, Math.ceil(-Math.min(...offsets) / steps[0]!));
  const after = Math.max(0, Math.ceil((length + Math.max(...offsets)) / steps[0]!) - rows);
  const zeros = new Array<number>(outer).fill(0);
  const gaps = shape.slice(1).map((size, i) => size - moves[i + 1]!.held);
  const padded = pad(e, value, [...zeros, before, ...gaps.map(() => 0)], [...zeros, after, ...gaps]);
  const available = (before + rows + after) * steps[0]!;
  const flat = e.reshape(padded, [batch, groups, channels, available]);
  return offsets.map((offset) => {
    const from = before * steps[0]! + offset;
    return from === 0 && length === available ? flat : e.slice(flat, [3], [from], [from + length]);
  });
}

/** Rows that are no longer than this are stacked for one product, since copying them costs less than one more product. */
const shortRow = 2048;

/** Sums of products of every part of the small side with every part of the large side, [group, a, b, small part, large part]. */
function multiply(
  e: Emitter,
  narrow: readonly string[],
  wide: readonly string[],
  length: number,
  { batch, groups, a, b }: Layout,
): string {
  const times = (left: string, right: string, rows: number, columns: number): string => {
    const products = e.matMul(left, e.transpose(right, [0, 1, 3, 2]));
    return e.reshape(batch === 1 ? products : e.sum(products, [0]), [groups, rows, columns]);
  };
  const stack = (parts: readonly string[]): string => (parts.length === 1 ? parts[0]! : e.concat(parts, 2));
  const [s, l] = [narrow.length, wide.length];
  const isThin = Math.min(a, b) <= 32;
  if (s * l === 1 || !isThin) {
    const each = narrow.flatMap((left) => wide.map((right) => times(left, right, a, b)));
    if (each.length === 1) return each[0]!;
    return e.concat(each.map((value) => e.reshape(value, [groups, a, b, 1])), 3); // prettier-ignore
  }
  if (a === 1 && b === 1) {
    // A single row is multiplied without packing; short ones by several at once.
    const [columns, count] = length <= shortRow ? [[stack(wide)], l] : [wide, 1];
    const each = narrow.flatMap((row) => columns.map((column) => times(row, column, 1, count)));
    return e.concat(each, 2);
  }
  // Few rows leave a product's setting up no time to pay off: all offsets in one. onnxruntime packs the second factor.
  if (l * b >= s * a) {
    const all = e.reshape(times(stack(wide), stack(narrow), l * b, s * a), [groups, l, b, s, a]);
    return e.transpose(all, [0, 4, 2, 3, 1]);
  }
  const all = e.reshape(times(stack(narrow), stack(wide), s * a, l * b), [groups, s, a, l, b]);
  return e.transpose(all, [0, 2, 4, 1, 3]);
}

/** Zeros before and after each axis; negative counts cut off. */
function pad(e: Emitter, value: string, before: readonly number[], after: readonly number[]): string {
  if ([...before, ...after].every((count) => count === 0)) return value;
  return e.pad(value, [...before, ...after]);
}

/** One of each list, in row-major order. */
function combinations<T>(lists: readonly (readonly T[])[]): T[][] {
  let found: T[][] = [[]];
  for (const list of lists) found = found.flatMap((outer) => list.map((item) => [...outer, item]));
  return found;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
