/** Sizes and bounds that the graph computes from shapes, as traced exports do. */
import type { GraphBuilder, Steps, Value } from './builder.js';
import type { Choices } from './choices.js';

const anyAxis = (x: Value, c: Choices): number => 1 + c.below(x.dims.length - 1);

/** The size of an axis, as [1] or as a scalar. */
function sizeOf(g: GraphBuilder, x: Value, axis: number, scalar = false): Value {
  const shape = g.op('Shape', [x], [x.dims.length], {}, 'int64');
  return g.op('Gather', [shape, g.ints([axis], scalar ? [] : [1])], scalar ? [] : [1], { axis: 0 }, 'int64');
}

const vector = (g: GraphBuilder, parts: readonly Value[]): Value =>
  g.op('Concat', parts, [parts.reduce((sum, { dims }) => sum + dims[0]!, 0)], { axis: 0 }, 'int64');

/** A value with an axis of even size. */
function halvable(g: GraphBuilder, c: Choices): { x: Value; axis: number } | undefined {
  const isEven = (dim: number, i: number): boolean => i > 0 && dim % 2 === 0;
  const x = g.pick(c, ({ dims }) => dims.some(isEven));
  if (!x) return undefined;
  return { x, axis: c.of(x.dims.map((_, i) => i).filter((i) => isEven(x.dims[i]!, i))) };
}

export const sizes: Steps = {
  /** Halves by a bound that is half of the size: a gated unit, or a rotation by halves. */
  HalvesBySize: (g, c) => {
    const found = halvable(g, c);
    if (!found) return;
    const { x, axis } = found;
    const half = g.op('Div', [sizeOf(g, x, axis), g.ints([2])], [1], {}, 'int64');
    const dims = x.dims.with(axis, x.dims[axis]! / 2);
    const first = g.op('Slice', [x, g.ints([0]), half, g.ints([axis])], dims);
    const last = g.op('Slice', [x, half, g.ints([2 ** 53 - 1]), g.ints([axis])], dims);
    if (c.flag()) g.step('Mul', [first, g.op('Sigmoid', [last], dims)], dims);
    else g.step('Concat', [g.op('Neg', [last], dims), first], x.dims, { axis });
  },
  SplitBySize: {
    since: 13,
    step: (g, c) => {
      const found = halvable(g, c);
      if (!found) return;
      const { x, axis } = found;
      const half = g.op('Div', [sizeOf(g, x, axis), g.ints([2])], [1], {}, 'int64');
      const dims = x.dims.with(axis, x.dims[axis]! / 2);
      for (const part of g.multi('Split', [x, vector(g, [half, half])], [dims, dims], { axis }))
        g.offer(part);
    },
  },
  ResizeBySize: {
    since: 13,
    step: (g, c) => {
      const x = g.ofRank(c, 4, ({ dims }) => dims.reduce((a, b) => a * b, 1) < 1200);
      if (!x) return;
      const [n, width, h, w] = x.dims as [number, number, number, number];
      const shape = g.op('Shape', [x], [4], {}, 'int64');
      const kept = g.op('Slice', [shape, g.ints([0]), g.ints([2])], [2], {}, 'int64');
      const target = c.flag()
        ? g.ints([2 * h, 2 * w])
        : g.op(
            'Mul',
            [g.op('Slice', [shape, g.ints([2]), g.ints([4])], [2], {}, 'int64'), g.ints([2])],
            [2],
            {},
            'int64',
          );
      const mode = c.of(['nearest', 'linear']);
      g.step('Resize', [x, undefined, undefined, vector(g, [kept, target])], [n, width, 2 * h, 2 * w], {
        mode,
      });
    },
  },
  /** A parameter expanded to the shape of what it is added to. */
  ExpandToShape: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = anyAxis(x, c);
    const w = g.weight(x.dims.map((dim, i) => (i === axis ? dim : 1)), c); // prettier-ignore
    const shape = g.op('Shape', [x], [x.dims.length], {}, 'int64');
    g.step('Add', [x, g.op('Expand', [w, shape], x.dims)], x.dims);
  },
  /** Positions counted up to a size. */
  RangeToSize: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = anyAxis(x, c);
    const size = x.dims[axis]!;
    const end = sizeOf(g, x, axis, true);
    const positions = g.op('Range', [g.ints([0], []), end, g.ints([1], [])], [size], {}, 'int64');
    const scaled = g.op('Mul', [g.op('Cast', [positions], [size], { to: 1 }), g.scalar(0.1)], [size]);
    const shaped = g.op(
      'Reshape',
      [scaled, g.ints([-1, ...x.dims.slice(axis + 1).map(() => 1)])],
      [size, ...x.dims.slice(axis + 1).map(() => 1)],
    );
    g.step('Add', [x, shaped], x.dims);
  },
  /** Padded up to a fixed size, by what is missing. */
  PadToSize: {
    since: 13,
    step: (g, c) => {
      const x = g.pick(c, ({ dims }) => dims.length > 1);
      if (!x) return;
      const axis = anyAxis(x, c);
      const size = x.dims[axis]! + 1 + c.below(2);
      const missing = g.op('Sub', [g.ints([size]), sizeOf(g, x, axis)], [1], {}, 'int64');
      const zeros = (count: number): Value[] => (count > 0 ? [g.ints(new Array<number>(count).fill(0))] : []);
      const before = zeros(x.dims.length + axis);
      const pads = vector(g, [...before, missing, ...zeros(x.dims.length - 1 - axis)]);
      g.step('Pad', [x, pads], x.dims.with(axis, size));
    },
  },
  TileBySize: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 2 && dims.slice(1).includes(1));
    const y = x && g.pick(c, ({ dims }) => dims.length > 1 && dims[1]! <= 8);
    if (!x || !y) return;
    const axis = x.dims.indexOf(1, 1);
    const ones = (count: number): Value[] => (count > 0 ? [g.ints(new Array<number>(count).fill(1))] : []);
    const repeats = vector(g, [...ones(axis), sizeOf(g, y, 1), ...ones(x.dims.length - 1 - axis)]);
    g.step('Tile', [x, repeats], x.dims.with(axis, y.dims[1]!));
  },
  /** A mask that hides later positions, made from a size. */
  MaskBySize: {
    since: 14,
    step: (g, c) => {
      const x = g.pick(c, ({ dims }) => dims.length > 2 && dims.at(-1) === dims.at(-2));
      if (!x) return;
      const size = x.dims.at(-1)!;
      const side = sizeOf(g, x, x.dims.length - 1);
      const ones = g.op('Expand', [g.scalar(1), vector(g, [side, side])], [size, size]);
      g.step('Mul', [x, g.op('Trilu', [ones], [size, size], { upper: 0 })], x.dims);
    },
  },
};
