import { stepsFor, type GraphBuilder, type Steps, type Value } from './builder.js';
import type { Choices } from './choices.js';
import { linear } from './layers.js';

const anyAxis = (x: Value, c: Choices): number => 1 + c.below(x.dims.length - 1);
const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

const flatIndices = (g: GraphBuilder, count: number, bound: number): Value =>
  g.ints(Array.from({ length: count }, () => g.below(bound)));

const scatter = (op: string) => (g: GraphBuilder, c: Choices) => {
  if (g.settings.symbolic) return;
  const x = g.pick(c, ({ dims }) => dims.length > 1);
  if (!x) return;
  const axis = anyAxis(x, c);
  const dims = x.dims.with(axis, 1);
  const indices = g.ints(Array.from({ length: product(dims) }, () => g.below(x.dims[axis]!)), dims); // prettier-ignore
  g.step(op, [x, indices, g.weight(dims, c)], x.dims, { axis });
};

export const indexing: Steps = {
  Slice: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.slice(1).some((dim) => dim > 1));
    if (!x) return;
    const axis = c.of(x.dims.map((_, i) => i).filter((i) => i > 0 && x.dims[i]! > 1));
    const size = x.dims[axis]!;
    if (c.below(8) === 1) {
      const backwards = [g.ints([-1]), g.ints([-(2 ** 53) + 1]), g.ints([axis]), g.ints([-1])];
      g.step('Slice', [x, ...backwards], x.dims);
      return;
    }
    const start = c.below(size);
    const end = start + 1 + c.below(size - start);
    const step = c.below(6) === 0 ? 2 : 1;
    const dims = x.dims.with(axis, Math.ceil((end - start) / step));
    const bounds = [
      g.ints([c.flag() && start > 0 ? start - size : start]),
      g.ints([end === size && c.flag() ? 2 ** 53 - 1 : end]),
      g.ints([axis]),
      ...(step > 1 ? [g.ints([step])] : []),
    ];
    g.step('Slice', [x, ...bounds], dims);
  },
  /** Halves swapped and joined, as rotary embeddings and rolls do. */
  SlicesSwapped: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1 && dims.at(-1)! > 1);
    if (!x) return;
    const axis = x.dims.length - 1;
    const size = x.dims[axis]!;
    const cut = size % 2 === 0 ? size / 2 : 1 + c.below(size - 1);
    const part = (from: number, to: number): Value =>
      g.op('Slice', [x, g.ints([from]), g.ints([to]), g.ints([axis])], x.dims.with(axis, to - from));
    const swapped = g.op('Concat', [part(cut, size), part(0, cut)], x.dims, { axis });
    const turned = g.op('Mul', [swapped, g.weight([size], c)], x.dims);
    g.step('Add', [g.op('Mul', [x, g.weight([size], c)], x.dims), turned], x.dims);
  },
  Gather: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = anyAxis(x, c);
    const form = c.below(3);
    if (form === 0 && x.dims.length > 2) {
      const index = g.ints([g.below(x.dims[axis]!)], []);
      g.step('Gather', [x, index], x.dims.toSpliced(axis, 1), { axis });
    } else if (form === 1) {
      const count = 1 + c.below(4);
      g.step('Gather', [x, flatIndices(g, count, x.dims[axis]!)], x.dims.with(axis, count), { axis });
    } else embedding(g, c, x);
  },
  GatherElements: (g, c) => {
    if (g.settings.symbolic) return;
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = anyAxis(x, c);
    const dims = x.dims.with(axis, 1 + c.below(3));
    const indices = g.ints(Array.from({ length: product(dims) }, () => g.below(x.dims[axis]!)), dims); // prettier-ignore
    g.step('GatherElements', [x, indices], dims, { axis });
  },
  ...stepsFor('ScatterElements', scatter),
  ...stepsFor('Scatter', scatter, 0, 10),
  GatherND: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 2);
    if (!x) return;
    // Over the first axis after the batch, so that the batch stays the first.
    const turned = g.op('Transpose', [x], [x.dims[1]!, x.dims[0]!, ...x.dims.slice(2)], {
      perm: [1, 0, ...x.dims.map((_, i) => i).slice(2)],
    });
    const count = 1 + c.below(3);
    const indices = g.ints(Array.from({ length: count }, () => g.below(x.dims[1]!)), [count, 1]); // prettier-ignore
    const picked = g.op('GatherND', [turned, indices], [count, ...turned.dims.slice(1)]);
    g.step('Transpose', [picked], x.dims.with(1, count), {
      perm: [1, 0, ...x.dims.map((_, i) => i).slice(2)],
    });
  },
  ScatterND: (g, c) => {
    if (g.settings.symbolic) return;
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const updates = g.weight([1, ...x.dims.slice(1)], c);
    g.step('ScatterND', [x, g.ints([g.below(x.dims[0]!)], [1, 1]), updates], x.dims);
  },
  TopK: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = anyAxis(x, c);
    const k = 1 + c.below(Math.min(2, x.dims[axis]!));
    const dims = x.dims.with(axis, k);
    g.offer(g.multi('TopK', [x, g.ints([k])], [dims, dims], { axis })[0]!);
  },
  OneHot: (g, c) => {
    const x = g.ofRank(c, 2);
    if (!x) return;
    const found = g.op('ArgMax', [x], [x.dims[0]!], { axis: 1, keepdims: 0 }, 'int64');
    const depth = x.dims[1]!;
    g.step('OneHot', [found, g.ints([depth], []), g.floats([0, 1])], [x.dims[0]!, depth]);
  },
  Compress: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const axis = anyAxis(x, c);
    const bits = Array.from({ length: x.dims[axis]! }, (_, i) => (i === 0 ? 1 : g.below(2)));
    const condition = g.ints(bits, [bits.length], 'bool');
    // How many are picked is data to shape inference: nothing that needs static sizes may follow.
    g.op('Compress', [x, condition], x.dims.with(axis, bits.reduce((a, b) => a + b, 0)), { axis }); // prettier-ignore
  },
  CumSum: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (x) g.step('CumSum', [x, g.ints([anyAxis(x, c)], [])], x.dims);
  },
  RoiAlign: {
    since: 16,
    until: 21,
    step: (g, c) => {
      if (g.settings.symbolic) return;
      const x = g.ofRank(c, 4);
      if (!x) return;
      const [n, width] = x.dims as [number, number];
      const images = Array.from({ length: n }, (_, i) => i);
      const boxes = g.floats(
        images.flatMap(() => [0, 0, 3, 3]),
        [n, 4],
      );
      const how = { output_height: 2, output_width: 2 };
      g.step('RoiAlign', [x, boxes, g.ints(images)], [n, width, 2, 2], how);
    },
  },
  MaxRoiPool: {
    until: 21,
    step: (g, c) => {
      if (g.settings.symbolic) return;
      const x = g.ofRank(c, 4);
      if (!x) return;
      const [n, width] = x.dims as [number, number];
      const boxes = Array.from({ length: n }, (_, i) => [i, 0, 0, 2, 2]);
      const how = { pooled_shape: [2, 2] };
      g.step('MaxRoiPool', [x, g.floats(boxes.flat(), [n, 5])], [n, width, 2, 2], how);
    },
  },
  /** A cache of keys or values and what is written into it. */
  TensorScatter: {
    since: 24,
    step: (g, c) => {
      const x = g.ofRank(c, 3);
      if (!x) return;
      const cache = linear(g, x, c, c.of([2, 4, 6]));
      const update = g.op('Slice', [cache, g.ints([0]), g.ints([1]), g.ints([1])], cache.dims.with(1, 1));
      g.step('TensorScatter', [cache, g.op('Tanh', [update], update.dims)], cache.dims, { axis: 1 });
    },
  },
  GridSample: {
    since: 16,
    step: (g, c) => {
      const x = g.ofRank(c, 4);
      if (!x || g.settings.symbolic) return;
      const [n, width] = x.dims as [number, number];
      const grid = g.floats(Array.from({ length: n * 8 }, () => g.below(100) / 50 - 1), [n, 2, 2, 2]); // prettier-ignore
      const how = g.opset >= 20 ? { mode: 'linear' } : { mode: 'bilinear' };
      g.step('GridSample', [x, grid], [n, width, 2, 2], how);
    },
  },
};

/** Rows of a table, by an index that is computed from data, tied to the product that reads the table transposed. */
function embedding(g: GraphBuilder, c: Choices, x: Value): void {
  const axis = x.dims.length - 1;
  const rows = x.dims[axis]!;
  const index = g.op('ArgMax', [x], x.dims.slice(0, -1), { axis, keepdims: 0 }, 'int64');
  const width = c.of([2, 4, 6]);
  const table = g.weight([rows, width], c);
  const looked = g.step('Gather', [table, index], [...index.dims, width], { axis: 0 });
  if (!c.flag()) return;
  const turned = g.op('Transpose', [table], [width, rows], { perm: [1, 0] });
  g.step('MatMul', [looked, turned], x.dims);
}
