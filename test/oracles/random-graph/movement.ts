import { type Attributes, type GraphBuilder, type Steps, type Value } from './builder.js';
import type { Choices } from './choices.js';
import { linear } from './layers.js';

const divisors = (size: number): number[] =>
  Array.from({ length: size }, (_, i) => i + 1).filter((d) => d > 1 && d < size && size % d === 0);

const anyAxis = (x: Value, c: Choices): number => 1 + c.below(x.dims.length - 1);
const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

function withAxes(
  g: GraphBuilder,
  op: string,
  x: Value,
  axes: readonly number[],
  dims: readonly number[],
): Value {
  return g.opset >= 13 ? g.step(op, [x, g.ints(axes)], dims) : g.step(op, [x], dims, { axes });
}

/** (g c) -> (c g) on the channels. */
function shuffle(g: GraphBuilder, c: Choices): void {
  const x = g.pick(c, ({ dims }) => dims.length > 1 && divisors(dims[1]!).length > 0);
  if (!x) return;
  const [n, width, ...rest] = x.dims as [number, number, ...number[]];
  const groups = c.of(divisors(width));
  const nested = g.reshape(x, [n, groups, width / groups, ...rest], c);
  const perm = [0, 2, 1, ...rest.map((_, i) => i + 3)];
  const turned = g.op('Transpose', [nested], perm.map((axis) => nested.dims[axis]!), { perm }); // prettier-ignore
  g.offer(g.reshape(turned, x.dims, c));
}

export const movement: Steps = {
  Reshape: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = anyAxis(x, c);
    const parts = divisors(x.dims[axis]!);
    if (parts.length > 0 && c.flag()) {
      const outer = c.of(parts);
      g.offer(g.reshape(x, x.dims.toSpliced(axis, 1, outer, x.dims[axis]! / outer), c));
    } else if (x.dims.length > 2) {
      const at = Math.min(axis, x.dims.length - 2);
      g.offer(g.reshape(x, x.dims.toSpliced(at, 2, x.dims[at]! * x.dims[at + 1]!), c));
    }
  },
  ChannelShuffle: shuffle,
  Flatten: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 2);
    if (x) g.step('Flatten', [x], [x.dims[0]!, product(x.dims.slice(1))], { axis: 1 });
  },
  Unsqueeze: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length < 4);
    if (!x) return;
    const axis = 1 + c.below(x.dims.length);
    withAxes(g, 'Unsqueeze', x, [axis], x.dims.toSpliced(axis, 0, 1));
  },
  Squeeze: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.slice(1).includes(1) && dims.length > 2);
    if (!x) return;
    const axis = x.dims.indexOf(1, 1);
    withAxes(g, 'Squeeze', x, [c.flag() ? axis : axis - x.dims.length], x.dims.toSpliced(axis, 1));
  },
  Transpose: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 2);
    if (!x) return;
    const perm = [0];
    const left = x.dims.map((_, i) => i).slice(1);
    while (left.length > 0) perm.push(left.splice(c.below(left.length), 1)[0]!);
    g.step('Transpose', [x], perm.map((axis) => x.dims[axis]!), { perm }); // prettier-ignore
  },
  Expand: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1 && dims.slice(1).includes(1));
    const y = x ?? g.pick(c, ({ dims }) => dims.length === 2);
    if (!y) return;
    const from = x ?? withAxes(g, 'Unsqueeze', y, [1], y.dims.toSpliced(1, 0, 1));
    const axis = from.dims.indexOf(1, 1);
    const times = c.of([2, 3]);
    // 1 stands for the size of the input, here that of the batch.
    const target = from.dims.with(axis, times).with(0, 1);
    g.step('Expand', [from, g.ints(target)], from.dims.with(axis, times));
  },
  Tile: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1 && product(dims) < 800);
    if (!x) return;
    const axis = anyAxis(x, c);
    const repeats = x.dims.map((_, i) => (i === axis ? 2 : 1));
    g.step('Tile', [x, g.ints(repeats)], x.dims.with(axis, 2 * x.dims[axis]!));
  },
  Concat: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = anyAxis(x, c);
    const fits = (y: Value): boolean =>
      y.dims.length === x.dims.length && y.dims.every((dim, i) => i === axis || dim === x.dims[i]);
    const parts = [x, ...Array.from({ length: 1 + c.below(2) }, () => g.pick(c, fits)!)];
    const size = parts.reduce((sum, { dims }) => sum + dims[axis]!, 0);
    if (size <= 24)
      g.step('Concat', parts, x.dims.with(axis, size), { axis: c.flag() ? axis : axis - x.dims.length });
  },
  Split: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.slice(1).some((dim) => dim > 1));
    if (!x) return;
    const wide = x.dims.map((_, i) => i).filter((i) => i > 0 && x.dims[i]! > 1);
    const axis = c.of(wide);
    const size = x.dims[axis]!;
    const equal = size % 2 === 0 && c.flag();
    const cut = equal ? size / 2 : 1 + c.below(size - 1);
    const sizes = [cut, size - cut];
    const how: Attributes =
      equal && g.opset >= 18 ? { num_outputs: 2 } : g.opset < 13 && !equal ? { split: sizes } : {};
    const inputs = !equal && g.opset >= 13 ? [x, g.ints(sizes)] : [x];
    for (const part of g.multi('Split', inputs, sizes.map((s) => x.dims.with(axis, s)), { axis, ...how })) g.offer(part); // prettier-ignore
  },
  Pad: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = anyAxis(x, c);
    const [before, after] = [c.below(3), 1 + c.below(2)];
    const mode = c.of(['constant', 'constant', 'edge']);
    const pads = x.dims.map(() => 0);
    const all = [...pads.with(axis, before), ...pads.with(axis, after)];
    const short = g.opset >= 18 && c.flag();
    const inputs = short ? [x, g.ints([before, after]), undefined, g.ints([axis])] : [x, g.ints(all)];
    g.step('Pad', inputs, x.dims.with(axis, x.dims[axis]! + before + after), { mode });
  },
  Resize: (g, c) => {
    const x = g.ofRank(c, 4, ({ dims }) => product(dims) < 1200);
    if (!x) return;
    const dims = [x.dims[0]!, x.dims[1]!, 2 * x.dims[2]!, 2 * x.dims[3]!];
    const form = c.below(g.settings.symbolic ? 2 : 3);
    const mode = { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' };
    if (form === 0 || g.opset < 18)
      g.step('Resize', [x, g.opset < 13 ? g.floats([]) : undefined, g.floats([1, 1, 2, 2])], dims, mode);
    else if (form === 1)
      g.step('Resize', [x, undefined, undefined, g.ints(dims.slice(2))], dims, { ...mode, axes: [2, 3] });
    else g.step('Resize', [x, undefined, undefined, g.ints(dims)], dims, mode);
  },
  Trilu: {
    since: 14,
    step: (g, c) => {
      const x = g.pick(c, ({ dims }) => dims.length > 2);
      if (x) g.step('Trilu', [x], x.dims);
    },
  },
  ReverseSequence: (g, c) => {
    if (g.settings.symbolic) return;
    const x = g.pick(c, ({ dims }) => dims.length > 2);
    if (!x) return;
    const lengths = x.dims
      .slice(0, 1)
      .flatMap((n) => Array.from({ length: n }, () => 1 + c.below(x.dims[1]!)));
    g.step('ReverseSequence', [x, g.ints(lengths)], x.dims, { time_axis: 1, batch_axis: 0 });
  },
  DepthToSpace: (g, c) => {
    const x = g.ofRank(c, 4, ({ dims }) => dims[1]! % 4 === 0);
    if (!x) return;
    const [n, width, h, w] = x.dims as [number, number, number, number];
    g.step('DepthToSpace', [x], [n, width / 4, 2 * h, 2 * w], { blocksize: 2, mode: c.of(['DCR', 'CRD']) });
  },
  SpaceToDepth: (g, c) => {
    const x = g.ofRank(c, 4, ({ dims }) => dims[1]! <= 6 && dims[2]! * dims[3]! < 100);
    if (!x) return;
    const [n, width, ...spatial] = x.dims as [number, number, number, number];
    const repeats = spatial.map((d) => 1 + (d % 2));
    const [h, w] = [spatial[0] * repeats[0]!, spatial[1] * repeats[1]!];
    const even = repeats.includes(2) ? g.op('Tile', [x, g.ints([1, 1, ...repeats])], [n, width, h, w]) : x;
    g.step('SpaceToDepth', [even], [n, 4 * width, h / 2, w / 2], { blocksize: 2 });
  },
  Upsample: {
    until: 9,
    step: (g, c) => {
      const x = g.ofRank(c, 4, ({ dims }) => product(dims) < 1200);
      if (!x) return;
      const [n, width, h, w] = x.dims as [number, number, number, number];
      const mode = c.of(['nearest', 'linear']);
      g.step('Upsample', [x, g.floats([1, 1, 2, 2])], [n, width, 2 * h, 2 * w], { mode });
    },
  },
  /** Windows of 2 × 2, laid side by side. */
  Col2Im: {
    since: 18,
    step: (g, c) => {
      const x = g.ofRank(c, 2);
      if (!x) return;
      const [n, width] = [x.dims[0]!, c.of([2, 3, 4])];
      const windows = g.reshape(linear(g, x, c, width * 4 * 9), [n, width * 4, 9], c);
      g.step('Col2Im', [windows, g.ints([4, 4]), g.ints([2, 2])], [n, width, 4, 4]);
    },
  },
  CenterCropPad: {
    since: 18,
    step: (g, c) => {
      const x = g.pick(c, ({ dims }) => dims.length > 1);
      if (!x) return;
      const axis = anyAxis(x, c);
      const size = Math.max(1, x.dims[axis]! + c.of([-2, -1, 1, 2]));
      g.step('CenterCropPad', [x, g.ints([size])], x.dims.with(axis, size), { axes: [axis] });
    },
  },
};
