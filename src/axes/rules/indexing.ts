import { intAttribute } from '../../onnx/attributes.js';
import type { Relation } from '../relation.js';
import { axisIndex, letters, NoRelation, ruleFor, type AxisRules, type OpContext } from '../rule.js';

const pointed = 'indices point into this axis';

/** Ops that pick elements by index. Constant contiguous picks are pieces of a sum; the rest blocks. */
export const indexing: AxisRules = {
  Slice: slice,
  Gather: gather,
  GatherElements: (op) => {
    const { data, indices } = elementwiseIndices(op);
    return { notation: `${data}, ${indices} -> ${indices}`, why: pointed };
  },
  ...ruleFor('ScatterElements Scatter', (op) => {
    const { data, indices } = elementwiseIndices(op);
    return { notation: `${data}, ${indices}, ${indices} -> ${data}`, why: pointed };
  }),
  GatherND: (op) => {
    const batch = intAttribute(op.node, 'batch_dims', 0);
    const { data, indices, inner } = tupleIndices(op, batch);
    const picked = [...indices.slice(0, -1), ...inner].join(' ');
    return {
      notation: `${data.join(' ')}, ${indices.join(' ')} -> ${picked}`,
      roles: ['produce'],
      why: pointed,
    };
  },
  ScatterND: (op) => {
    const { data, indices: tuples, inner } = tupleIndices(op, 0);
    // Leaving out a tuple is not writing a zero: the data shows where nothing is written.
    const indices = tuples.map((letter) => (letter.startsWith('#') ? letter : `#${letter}`));
    const updates = [...indices.slice(0, -1), ...inner].join(' ');
    const x = data.join(' ');
    return { notation: `${x}, ${indices.join(' ')}, ${updates} -> ${x}`, why: pointed };
  },
  TopK: (op) => {
    const x = letters(op.shape(0).length);
    const axis = axisIndex(intAttribute(op.node, 'axis', -1), x.length);
    const y = x.with(axis, '#k').join(' ');
    const outputs = new Array(op.outputCount).fill(y).join(', ');
    return {
      notation: `${x.with(axis, `#${x[axis]}`).join(' ')}${op.inputCount > 1 ? ', _' : ''} -> ${outputs}`,
      why: 'the largest elements are chosen along this axis',
    };
  },
  OneHot: (op) => {
    const indices = letters(op.shape(0).length, 'i');
    const axis = axisIndex(intAttribute(op.node, 'axis', -1), indices.length + 1);
    return {
      notation: `${indices.join(' ')}, _, _ -> ${indices.toSpliced(axis, 0, '#depth').join(' ')}`,
      why: 'the positions of this axis are classes',
    };
  },
  Compress: (op) => {
    const axis = intAttribute(op.node, 'axis');
    if (axis === undefined) throw new NoRelation('it picks from the flattened input');
    const x = letters(op.shape(0).length);
    const at = axisIndex(axis, x.length);
    const [input, output] = [x.with(at, `#${x[at]}`), x.with(at, '#picked')];
    return { notation: `${input.join(' ')}, _ -> ${output.join(' ')}`, why: 'it is picked by position' };
  },
  CumSum: (op) => {
    const x = letters(op.shape(0).length);
    const [axis] = op.numbers(1);
    const at = axisIndex(axis!, x.length);
    const y = x.with(at, `#${x[at]}`).join(' ');
    return { notation: `${y}, _ -> ${y}`, why: 'each element adds those before it' };
  },
  RoiAlign: { notation: 'n c #…, #r #k, #r -> #r c #…', why: 'boxes are placed by position' },
  MaxRoiPool: { notation: 'n c #…, #r #k -> #r c #…', why: 'boxes are placed by position' },
  TensorScatter: (op) => {
    const x = letters(op.shape(0).length);
    const at = axisIndex(intAttribute(op.node, 'axis', -2), x.length);
    const [cache, update] = [x.with(at, `#${x[at]}`).join(' '), x.with(at, '#update').join(' ')];
    return { notation: `${cache}, ${update}${op.inputCount > 2 ? ', _' : ''} -> ${cache}`, why: pointed };
  },
  GridSample: { notation: 'n c #…, n #… -> n c #…', why: 'a grid points into these axes' },
};

/** Data and indices of equal rank: all axes but one run side by side, as long as they have equal sizes. */
function elementwiseIndices(op: OpContext): { data: string; indices: string } {
  const [data, indices] = [op.shape(0), op.shape(1)];
  const axis = axisIndex(intAttribute(op.node, 'axis', 0), data.length);
  const x = letters(data.length);
  const isShared = (i: number): boolean => i !== axis && data[i] === indices[i];
  return {
    data: x.map((letter, i) => (isShared(i) ? letter : `#${letter}`)).join(' '),
    indices: x.map((letter, i) => (isShared(i) ? letter : `#${letter}index`)).join(' '),
  };
}

/** The last axis of the indices holds tuples that point into the outer axes of the data. */
function tupleIndices(op: OpContext, batch: number): { data: string[]; indices: string[]; inner: string[] } {
  const rank = op.shape(0).length;
  const indices = letters(op.shape(1).length, 'i');
  const width = op.shape(1).at(-1)!;
  if (!(width + batch <= rank)) throw new NoRelation('the width of its index tuples is unknown');
  const data = letters(rank).map((letter, i) =>
    i < batch ? indices[i]! : i < batch + width ? `#${letter}` : letter,
  );
  return { data, indices: indices.with(-1, `#${indices.at(-1)}`), inner: data.slice(batch + width) };
}

function slice(op: OpContext): Relation {
  const dims = op.shape(0);
  const input = letters(dims.length);
  const output = [...input];
  const sizes: Record<string, number> = {};
  const starts = op.parameter('starts');
  const ends = op.parameter('ends');
  if (!starts || !ends) throw new NoRelation('it has no bounds');
  const axes = op.parameter('axes') ?? starts.map((_, i) => i);
  const steps = op.parameter('steps') ?? starts.map(() => 1);
  axes.forEach((given, i) => {
    const axis = axisIndex(given, dims.length);
    const size = dims[axis]!;
    const letter = input[axis]!;
    const step = steps[i]!;
    if (size > 0 && step > 1 && size % step === 0 && takesAll(starts[i]!, ends[i]!, step, size)) {
      // One of each `step` neighbours: they go together, and what comes out is a list of such runs.
      sizes[`${letter}step`] = step;
      input[axis] = `(${letter} #${letter}step)`;
      return;
    }
    if (!(size > 0) || step !== 1) {
      input[axis] = `#${letter}`;
      output[axis] = `#${letter}picked`;
      return;
    }
    const clamp = (bound: number): number => Math.min(Math.max(bound < 0 ? bound + size : bound, 0), size);
    const [start, end] = [clamp(starts[i]!), clamp(ends[i]!)];
    if (start === 0 && end === size) return;
    if (end <= start) throw new NoRelation('it picks nothing');
    sizes[`${letter}before`] = start;
    sizes[letter] = end - start;
    sizes[`${letter}after`] = size - end;
    const pieces = [start && `${letter}before`, letter, end < size && `${letter}after`].filter(Boolean);
    input[axis] = `(${pieces.join(' + ')})`;
  });
  const rest = new Array(op.inputCount - 1).fill(', _').join('');
  return {
    notation: `${input.join(' ')}${rest} -> ${output.join(' ')}`,
    sizes,
    why: 'a slice with steps picks by position',
  };
}

/** Whether a slice with steps takes the same position of every run of `step` positions. */
function takesAll(start: number, end: number, step: number, size: number): boolean {
  return start >= 0 && start < step && end > size - step + start;
}

function gather(op: OpContext): Relation {
  const data = letters(op.shape(0).length);
  const axis = axisIndex(intAttribute(op.node, 'axis', 0), data.length);
  const indices = letters(op.shape(1).length, 'i');
  const output = [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
  data[axis] = `#${data[axis]}`;
  return {
    notation: `${data.join(' ')}, ${indices.join(' ')} -> ${output.join(' ')}`,
    roles: ['produce'],
    why: pointed,
  };
}
