import { intAttribute } from '../../onnx/attributes.js';
import type { Relation } from '../relation.js';
import { axisIndex, letters, NoRelation, type AxisRules, type OpContext } from '../rule.js';

/** Ops that pick elements by index. Constant contiguous picks are pieces of a sum; the rest blocks. */
export const indexing: AxisRules = { Slice: slice, Gather: gather };

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
    if (!(size > 0) || steps[i] !== 1) {
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

function gather(op: OpContext): Relation {
  const data = letters(op.shape(0).length);
  const axis = axisIndex(intAttribute(op.node, 'axis', 0), data.length);
  const indices = letters(op.shape(1).length, 'i');
  const output = [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
  data[axis] = `#${data[axis]}`;
  return {
    notation: `${data.join(' ')}, ${indices.join(' ')} -> ${output.join(' ')}`,
    roles: ['produce'],
    why: 'indices point into this axis',
  };
}
