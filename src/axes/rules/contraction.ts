import { intAttribute, stringAttribute } from '../../onnx/attributes.js';
import { attribute, type Relation, type Role } from '../relation.js';
import { blocked, NoRelation, presentInputs, type AxisRules, type OpContext } from '../rule.js';

/** What all convolutions have in common: groups of channels, and windows on what is spatial. */
export const convolution = {
  sizes: { g: attribute('group', 1) },
  contraction: [0, 1],
  why: 'spatial positions are shared by a kernel window',
} satisfies Partial<Relation>;

/** Sums of products: a letter on both factors but not on the output is contracted. */
export const contraction: AxisRules = {
  Conv: (op) => ({
    ...convolution,
    notation: `${presentInputs(op, 'n (g ci) #…', '(g co) ci #…', '(g co)')} -> n (g co) #…`,
  }),
  ConvTranspose: (op) => ({
    ...convolution,
    notation: `${presentInputs(op, 'n (g ci) #…', '(g ci) co #…', '(g co)')} -> n (g co) #…`,
    scatters: true,
  }),
  DeformConv: (op) => {
    const inputs = presentInputs(op, 'n (g ci) #…', '(g co) ci #…', 'n #o #…', '(g co)', 'n #m #…');
    const relation = { ...convolution, notation: `${inputs} -> n (g co) #…` };
    const isShared = intAttribute(op.node, 'offset_group', 1) === 1;
    return isShared ? relation : blocked(relation, 'channels have offsets in groups');
  },
  Gemm: gemm,
  MatMul: matMul,
  Einsum: einsum,
  ConvInteger: (op) => ({
    ...convolution,
    notation: `n (g ci) #…, (g co) ci #…${quantized(op, [2, ''], [3, '(g co)'])} -> n (g co) #…`,
    roles: quantizers(2, 3),
  }),
  QLinearConv: (op) => {
    const x = `n (g ci) #…${quantized(op, [1, ''], [2, ''])}`;
    const w = `(g co) ci #…${quantized(op, [4, '(g co)'], [5, '(g co)'], [6, ''], [7, ''])}`;
    return {
      ...convolution,
      notation: `${x}, ${w}${op.has(8) ? ', (g co)' : ''} -> n (g co) #…`,
      contraction: [0, 3],
      roles: quantizers(1, 2, 4, 5, 6, 7),
    };
  },
  MatMulInteger: (op) => ({
    notation: `… i k, … k j${quantized(op, [2, 'i'], [3, 'j'])} -> … i j`,
    contraction: [0, 1],
    roles: quantizers(2, 3),
  }),
  QLinearMatMul: (op) => ({
    notation:
      `… i k${quantized(op, [1, 'i'], [2, 'i'])}, ` +
      `… k j${quantized(op, [4, 'j'], [5, 'j'], [6, ''], [7, ''])} -> … i j`,
    contraction: [0, 3],
    roles: quantizers(1, 2, 4, 5, 6, 7),
  }),
};

/** The matrices of a Gemm as they lie in memory. */
export function gemmFactors({ node }: OpContext): readonly [a: string, b: string] {
  return [intAttribute(node, 'transA', 0) ? 'k i' : 'i k', intAttribute(node, 'transB', 0) ? 'j k' : 'k j'];
}

export function gemm(op: OpContext): Relation {
  const [a, b] = gemmFactors(op);
  if (!op.has(2)) return { notation: `${a}, ${b} -> i j`, contraction: [0, 1] };
  const dims = op.shape(2);
  const c = ['i', 'j'].slice(2 - dims.length).map((letter, i) => (dims[i] === 1 ? '1' : letter));
  return { notation: `${a}, ${b}, ${c.join(' ')} -> i j`, contraction: [0, 1] };
}

function matMul(op: OpContext): Relation {
  const [a, b] = [op.shape(0).length, op.shape(1).length];
  const left = a === 1 ? 'k' : '… i k';
  const right = b === 1 ? 'k' : '… k j';
  const output = `${a > 1 || b > 1 ? '…' : ''}${a > 1 ? ' i' : ''}${b > 1 ? ' j' : ''}`;
  return { notation: `${left}, ${right} -> ${output.trim()}`, contraction: [0, 1] };
}

/** Scales and zero points: scalars, or vectors along `axis`. Ends at the first input that the node leaves out. */
export function quantized(
  op: OpContext,
  ...operands: readonly (readonly [input: number, axis: string])[]
): string {
  return operands
    .filter(([input]) => input < op.inputCount)
    .map(([input, axis]) => {
      if (!op.has(input)) return ', _';
      const dims = op.shape(input);
      if (dims.length > 1) throw new NoRelation(`input ${input} has rank ${dims.length}`);
      return `, ${dims.length === 0 ? '' : dims[0] === 1 ? '1' : axis}`;
    })
    .join('');
}

/** Scales and zero points say nothing of a channel's importance. */
export function quantizers(...inputs: readonly number[]): Role[] {
  return inputs.reduce<Role[]>((roles, input) => roles.with(input, 'pass'), new Array<Role>(9));
}

function einsum(op: OpContext): Relation {
  const equation = stringAttribute(op.node, 'equation', '').replace(/\s/g, '');
  const [left, given] = equation.split('->') as [string, string?];
  const spell = (side: string): string => [...side.replace('...', '…')].join(' ');
  // Without an output the letters that occur once are kept, in alphabetical order.
  const once = [...left]
    .filter((letter) => /[A-Za-z]/.test(letter) && left.split(letter).length === 2)
    .sort();
  const output = given ?? `${left.includes('...') ? '...' : ''}${once.join('')}`;
  if (left.includes('...') && !output.includes('...')) throw new NoRelation('it sums over the ellipsis');
  const inputs = left.split(',');
  const notation = `${inputs.map(spell).join(', ')} -> ${spell(output)}`;
  if (inputs.length > 1) return { notation, contraction: inputs.map((_, input) => input) };
  return {
    notation,
    multiplies: { terms: [], inputs: [] },
    sums: [...new Set(left)].filter((letter) => letter !== '.' && !output.includes(letter)),
  };
}
