import type { Steps } from './builder.js';

export const constant: Steps = {
  ConstantOfShape: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const computed = c.flag();
    const shape = computed ? g.op('Shape', [x], [x.dims.length], {}, 'int64') : g.ints(x.dims.slice(-1));
    const dims = computed ? x.dims : x.dims.slice(-1);
    g.step('Add', [x, g.op('ConstantOfShape', [shape], dims)], x.dims);
  },
  Shape: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    // The scale of attention as traced: a float from a size.
    const axis = 1 + c.below(x.dims.length - 1);
    const shape = g.op('Shape', [x], [x.dims.length], {}, 'int64');
    const size = g.op('Gather', [shape, g.ints([axis], [])], [], { axis: 0 }, 'int64');
    const root = g.op('Sqrt', [g.op('Cast', [size], [], { to: 1 })], []);
    g.step('Div', [x, root], x.dims);
  },
  Size: (g, c) => {
    const x = g.pick(c);
    if (!x || g.settings.symbolic) return;
    const size = g.op('Cast', [g.op('Size', [x], [], {}, 'int64')], [], { to: 1 });
    g.step('Div', [x, size], x.dims);
  },
  Range: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const size = x.dims.at(-1)!;
    const range = g.op('Range', [g.scalar(0), g.scalar(size), g.scalar(1)], [size]);
    g.step('Add', [x, g.op('Mul', [range, g.scalar(0.1)], [size])], x.dims);
  },
};
