import { intAttribute, stringAttribute } from '../../onnx/attributes.js';
import { putBack } from '../along.js';
import { axisIndex, inverse, product, range, type GradientContext, type GradientRules } from '../rule.js';

/** Elements are picked by index; cotangents are put, or added, back where they came from. */
export const indexing: GradientRules = {
  Slice: slice,
  Gather: gather,
  GatherElements: (c) => [
    c.emit.op('ScatterElements', [c.emit.zeros(c.shape(0)), c.input(1), c.grad()], {
      axis: intAttribute(c.node, 'axis', 0),
      reduction: 'add',
    }),
  ],
  GatherND: (c) => {
    if (intAttribute(c.node, 'batch_dims', 0) > 0) c.refuse('it has batch dims');
    return [c.emit.op('ScatterND', [c.emit.zeros(c.shape(0)), c.input(1), c.grad()], { reduction: 'add' })];
  },
  ScatterElements: (c) => {
    const axis = intAttribute(c.node, 'axis', 0);
    const picked = c.emit.op('GatherElements', [c.grad(), c.input(1)], { axis });
    const kept = () =>
      c.emit.op('ScatterElements', [c.grad(), c.input(1), c.emit.zeros(c.shape(2))], { axis });
    return [adds(c) ? c.grad() : kept(), undefined, picked];
  },
  ScatterND: (c) => {
    const picked = c.emit.op('GatherND', [c.grad(), c.input(1)]);
    const kept = () => c.emit.op('ScatterND', [c.grad(), c.input(1), c.emit.zeros(c.shape(2))]);
    return [adds(c) ? c.grad() : kept(), undefined, picked];
  },
  TopK: (c) => [
    c.emit.op('ScatterElements', [c.emit.zeros(c.shape(0)), c.output(1), c.grad()], {
      axis: intAttribute(c.node, 'axis', -1),
      reduction: 'add',
    }),
  ],
  Trilu: (c) => [
    c.emit.op('Trilu', [c.grad(), ...(c.has(1) ? [c.input(1)] : [])], {
      upper: intAttribute(c.node, 'upper', 1),
    }),
  ],
};

function adds(c: GradientContext): boolean {
  const reduction = stringAttribute(c.node, 'reduction', 'none');
  if (reduction !== 'none' && reduction !== 'add') c.refuse(`its reduction is ${reduction}`);
  return reduction === 'add';
}

function slice(c: GradientContext): (string | undefined)[] {
  const shape = [...c.shape(0)];
  const starts = c.parameter('starts');
  const ends = c.parameter('ends');
  if (!starts || !ends) return c.refuse('its bounds are computed from data');
  const axes = c.parameter('axes') ?? range(starts.length);
  const steps = c.parameter('steps') ?? starts.map(() => 1);
  let value = c.grad();
  // From the last cut to the first, each axis grows back to its size.
  const dims = [...c.outputShape()];
  axes.forEach((given, i) => {
    const axis = axisIndex(given, shape.length);
    const size = shape[axis]!;
    const step = steps[i]!;
    const start = starts[i]! < 0 ? starts[i]! + size : starts[i]!;
    const first = Math.min(Math.max(start, 0), step > 0 ? size : size - 1);
    const positions = range(dims[axis]!).map((k) => first + k * step);
    dims[axis] = size;
    value = putBack(c.emit, value, dims, axis, positions);
  });
  return [value];
}

function gather(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  const shape = c.shape(0);
  const indices = c.shape(1);
  const axis = axisIndex(intAttribute(c.node, 'axis', 0), shape.length);
  const numbers = c.numbers(1)?.map((index) => axisIndex(index, shape[axis]!));
  if (numbers && new Set(numbers).size === numbers.length) {
    const picked = shape.map((size, i) => (i === axis ? numbers.length : size));
    return [putBack(e, e.reshape(c.grad(), picked), shape, axis, numbers)];
  }
  // Rows by index first, then whatever lies around the axis.
  const count = product(indices);
  const around = shape.filter((_, i) => i !== axis);
  const rank = c.outputShape().length;
  const picks = range(indices.length).map((i) => axis + i);
  const others = range(rank).filter((i) => !picks.includes(i));
  const rows = e.reshape(e.transpose(c.grad(), [...picks, ...others]), [count, product(around)]);
  const tuples = e.op('Cast', [e.reshape(c.input(1), [count, 1])], { to: 7 });
  const zeros = e.zeros([shape[axis]!, product(around)]);
  const sum = e.op('ScatterND', [zeros, tuples, rows], { reduction: 'add' });
  const order = [axis, ...range(shape.length).filter((i) => i !== axis)];
  return [e.transpose(e.reshape(sum, [shape[axis]!, ...around]), inverse(order))];
}
