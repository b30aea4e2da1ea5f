import { intAttribute, intsAttribute, stringAttribute } from '../../onnx/attributes.js';
import { attribute, type Relation } from '../relation.js';
import { axisIndex, letters, NoRelation, ruleFor, type AxisRules, type OpContext } from '../rule.js';

/** Ops that copy elements to other places and look at none of them. */
export const movement: AxisRules = {
  Reshape: (op) => ({ notation: reshaped(op.shape(0), op.outputShape(), op.inputCount) }),
  Flatten: (op) => ({ notation: reshaped(op.shape(0), op.outputShape(), 1) }),
  ...ruleFor('Squeeze Unsqueeze', (op) => ({
    notation: reshaped(op.shape(0), op.outputShape(), op.inputCount),
  })),
  Transpose: (op) => {
    const x = letters(op.shape(0).length);
    const permutation = intsAttribute(op.node, 'perm') ?? x.map((_, i) => x.length - 1 - i);
    return `${x.join(' ')} -> ${permutation.map((axis) => x[axis]).join(' ')}`;
  },
  Expand: (op) => {
    const [from, to] = [op.shape(0), op.outputShape()];
    const output = letters(to.length);
    const input = output
      .slice(to.length - from.length)
      .map((letter, i) => (from[i] === to[to.length - from.length + i] ? letter : '1'));
    return `${input.join(' ')}, _ -> ${output.join(' ')}`;
  },
  Tile: (op) => {
    const repeats = op.parameter('repeats')!;
    const x = letters(op.shape(0).length);
    const output = x.map((letter, i) => (repeats[i] === 1 ? letter : `(r${i} ${letter})`));
    return {
      notation: `${x.join(' ')}, _ -> ${output.join(' ')}`,
      sizes: Object.fromEntries(repeats.map((repeat, i) => [`r${i}`, repeat])),
    };
  },
  Concat: (op) => {
    const x = letters(op.shape(0).length);
    const axis = axisIndex(intAttribute(op.node, 'axis', 1), x.length);
    const pieces = Array.from({ length: op.inputCount }, (_, i) => `p${i}`);
    const inputs = pieces.map((piece) => x.with(axis, piece).join(' '));
    const joined = x.with(axis, `(${pieces.join(' + ')})`).join(' ');
    return `${inputs.join(', ')} -> ${joined}`;
  },
  Split: (op) => {
    const x = letters(op.shape(0).length);
    const axis = axisIndex(intAttribute(op.node, 'axis', 0), x.length);
    const pieces = Array.from({ length: op.outputCount }, (_, i) => `p${i}`);
    const outputs = pieces.map((piece) => x.with(axis, piece).join(' '));
    const joined = x.with(axis, `(${pieces.join(' + ')})`).join(' ');
    return `${joined}${op.inputCount > 1 ? ', _' : ''} -> ${outputs.join(', ')}`;
  },
  Pad: pad,
  ...ruleFor('Resize Upsample', resize),
  Trilu: { notation: '… #i #j, _ -> … #i #j', why: 'a triangle is cut by position' },
  ReverseSequence: (op) => {
    const x = letters(op.shape(0).length);
    const time = intAttribute(op.node, 'time_axis', 0);
    const batch = intAttribute(op.node, 'batch_axis', 1);
    const axes = x.map((letter, i) => (i === time || i === batch ? `#${letter}` : letter)).join(' ');
    return { notation: `${axes}, _ -> ${axes}`, why: 'it is reversed by position' };
  },
  Col2Im: {
    notation: 'n (c #block) #l, _, _ -> n c #…',
    why: 'these positions become spatial',
  },
  CenterCropPad: (op) => {
    const [from, to] = [op.shape(0), op.outputShape()];
    const x = letters(from.length);
    const axes = intsAttribute(op.node, 'axes')?.map((axis) => axisIndex(axis, x.length));
    const given = new Set(axes ?? x.map((_, i) => i));
    const input = x.map((letter, i) => (given.has(i) ? `#${letter}` : letter));
    const output = x.map((letter, i) => (given.has(i) && from[i] !== to[i] ? `#${letter}cropped` : input[i]));
    return { notation: `${input.join(' ')}, _ -> ${output.join(' ')}`, why: 'it is cropped by position' };
  },
  DepthToSpace: (op) => {
    const columnFirst = stringAttribute(op.node, 'mode', 'DCR') === 'CRD';
    return {
      notation: `n ${columnFirst ? '(c #p #q)' : '(#p #q c)'} h w -> n c (h #p) (w #q)`,
      sizes: { p: attribute('blocksize'), q: attribute('blocksize') },
      why: 'these positions become spatial',
    };
  },
  SpaceToDepth: {
    notation: 'n c (h #p) (w #q) -> n (#p #q c) h w',
    sizes: { p: attribute('blocksize'), q: attribute('blocksize') },
    why: 'these positions were spatial',
  },
};

/** Cuts both shapes into the shortest runs of equal product; within a run the products are the same axis. */
function reshaped(from: readonly number[], to: readonly number[], inputCount: number): string {
  if ([...from, ...to].some((dim) => !(dim > 0))) throw new NoRelation('a size is unknown or zero');
  const input: string[] = [];
  const output: string[] = [];
  const equalities: string[] = [];
  let [i, j, run] = [0, 0, 0];
  while (i < from.length || j < to.length) {
    if (from[i] === 1) {
      input.push('1');
      i++;
    } else if (to[j] === 1) {
      output.push('1');
      j++;
    } else {
      // Both at a size above 1: extend the smaller side until the products agree.
      let [a, b] = [from[i++]!, to[j++]!];
      const left = [a];
      const right = [b];
      while (a !== b) {
        const side = a < b ? left : right;
        const dim = a < b ? from[i++] : to[j++];
        if (dim === undefined) throw new NoRelation(`${from.join('×')} and ${to.join('×')} differ in size`);
        if (a < b) a *= dim;
        else b *= dim;
        side.push(dim);
      }
      appendRun(run++, left, right, input, output, equalities);
    }
  }
  const operands = `${input.join(' ')}${inputCount > 1 ? ', _' : ''} -> ${output.join(' ')}`;
  return [operands, ...equalities].join('; ');
}

function appendRun(
  run: number,
  left: readonly number[],
  right: readonly number[],
  input: string[],
  output: string[],
  equalities: string[],
): void {
  const name = (dims: readonly number[], tag: string): string[] => {
    let index = 0;
    return dims.map((dim) => (dim === 1 ? '1' : `${tag}${run}${'abcdefghijklmnop'[index++]}`));
  };
  const outer = left.filter((dim) => dim > 1).length;
  const inner = right.filter((dim) => dim > 1).length;
  const xs = name(left, 'x');
  const ys = name(right, outer === 1 && inner === 1 ? 'x' : 'y');
  const bare = (list: readonly string[]): string => `(${list.filter((letter) => letter !== '1').join(' ')})`;
  if (outer === 1) {
    input.push(
      ...xs.map((letter) => (letter === '1' ? letter : inner === 1 ? ys.find((y) => y !== '1')! : bare(ys))),
    );
    output.push(...ys);
  } else if (inner === 1) {
    input.push(...xs);
    output.push(...ys.map((letter) => (letter === '1' ? letter : bare(xs))));
  } else {
    input.push(...xs);
    output.push(...ys);
    equalities.push(`${bare(xs)} = ${bare(ys)}`);
  }
}

/** Axes of scale 1 pass; an axis that only rounds to its old size is interpolated all the same. */
function resize(op: OpContext): Relation {
  const [from, to] = [op.shape(0), op.outputShape()];
  const axes = op.parameter('axes')?.map((axis) => axisIndex(axis, from.length)) ?? from.map((_, i) => i);
  const scales = op.parameter('scales');
  const crops = stringAttribute(op.node, 'coordinate_transformation_mode', '') === 'tf_crop_and_resize';
  const x = letters(from.length);
  const isResized = (axis: number): boolean => {
    const i = axes.indexOf(axis);
    if (i < 0) return false;
    return crops || from[axis] !== to[axis] || (!!scales?.length && scales[i] !== 1);
  };
  const input = x.map((letter, i) => (isResized(i) ? `#${letter}` : letter));
  const output = x.map((letter, i) => (isResized(i) ? `#${letter}resized` : letter));
  const rest = new Array(op.inputCount - 1).fill(', _').join('');
  return {
    notation: `${input.join(' ')}${rest} -> ${output.join(' ')}`,
    why: 'resizing mixes neighbouring positions',
  };
}

function pad(op: OpContext): Relation {
  const x = letters(op.shape(0).length);
  const pads = op.parameter('pads');
  if (!pads) throw new NoRelation('it has no pads');
  const axes = op.parameter('axes')?.map((axis) => axisIndex(axis, x.length)) ?? x.map((_, i) => i);
  const mode = stringAttribute(op.node, 'mode', 'constant');
  const input = [...x];
  const output = [...x];
  const sizes: Record<string, number> = {};
  axes.forEach((axis, i) => {
    const [before, after] = [pads[i]!, pads[i + axes.length]!];
    if (before === 0 && after === 0) return;
    const letter = x[axis]!;
    if (mode !== 'constant' || before < 0 || after < 0) {
      input[axis] = `#${letter}`;
      output[axis] = `#${letter}padded`;
      return;
    }
    // Zero-size pieces are dropped from sums.
    sizes[`${letter}before`] = before;
    sizes[`${letter}after`] = after;
    const pieces = [before && `#${letter}before`, letter, after && `#${letter}after`].filter(Boolean);
    output[axis] = `(${pieces.join(' + ')})`;
  });
  const rest = new Array(op.inputCount - 1).fill(', _').join('');
  return {
    notation: `${input.join(' ')}${rest} -> ${output.join(' ')}`,
    sizes,
    why: mode === 'constant' ? 'padding has no weights' : `padding of mode '${mode}' reads its neighbours`,
  };
}
