import { intAttribute, intsAttribute } from '../../onnx/attributes.js';
import { product, range, type GradientContext, type GradientRules } from '../rule.js';
import { spreadAttributes, windowsOf, type Windows } from '../windows.js';

export const pooling: GradientRules = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: (c) => {
    const shape = c.shape(0);
    return [c.emit.expand(c.emit.scale(c.grad(), 1 / product(shape.slice(2))), shape)];
  },
  GlobalMaxPool: (c) => {
    const e = c.emit;
    const hits = e.indicator(e.op('Equal', [c.input(0), c.output()]));
    const axes = range(c.shape(0).length).slice(2);
    return [e.mul(hits, e.div(c.grad(), e.sum(hits, axes, true)))];
  },
};

/** Each cotangent goes to the position that the op itself says it took the value from. */
function maxPool(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  const shape = c.shape(0);
  const attributes = Object.fromEntries([...c.node.attributes].filter(([name]) => name !== 'storage_order'));
  const [, indices] = e.ops('MaxPool', [c.input(0)], 2, attributes) as [string, string];
  const flat = (value: string) => e.reshape(value, [-1]);
  const spread = e.op('ScatterElements', [e.zeros([product(shape)]), flat(indices), flat(c.grad())], {
    axis: 0,
    reduction: 'add',
  });
  return [e.reshape(spread, shape)];
}

/** Every position of a window gets the window's cotangent divided by its count: a ConvTranspose with a kernel of ones. */
function averagePool(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  const [n, channels, ...sizes] = c.shape(0) as [number, number, ...number[]];
  const positions = c.outputShape().slice(2);
  const kernel = intsAttribute(c.node, 'kernel_shape', []);
  const windows = windowsOf(c.node, kernel, sizes, positions);
  const counts = countsOf(windows, c);
  const g = e.div(c.grad(), e.floats(counts, [1, 1, ...positions]));
  const planes = e.reshape(g, [n * channels, 1, ...positions]);
  const ones = e.floats(new Float32Array(product(kernel)).fill(1), [1, 1, ...kernel]);
  return [e.reshape(e.op('ConvTranspose', [planes, ones], spreadAttributes(windows)), c.shape(0))];
}

/** Elements that each window averages over: without padding unless `count_include_pad`, never past the padding. */
function countsOf(windows: Windows, c: GradientContext): Float32Array {
  const includesPad = intAttribute(c.node, 'count_include_pad', 0) === 1;
  const { kernel, strides, dilations, begins, positions, sizes } = windows;
  const ends = intsAttribute(c.node, 'pads', [...kernel, ...kernel].fill(0)).slice(kernel.length);
  const perAxis = kernel.map((k, i) =>
    range(positions[i]!).map((o) => {
      const reads = range(k).map((j) => o * strides[i]! + j * dilations[i]! - begins[i]!);
      const [low, high] = includesPad ? [-begins[i]!, sizes[i]! + ends[i]!] : [0, sizes[i]!];
      return reads.filter((at) => at >= low && at < high).length;
    }),
  );
  let counts = [1];
  for (const axis of perAxis) counts = counts.flatMap((count) => axis.map((n) => count * n));
  return Float32Array.from(counts);
}
