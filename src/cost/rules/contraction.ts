import type { Axis } from '../../axes/axis.js';
import type { CostContext, CostRules, Price } from '../rule.js';

/** Sums of products. Biases are not counted: they are adds, not multiply-adds. */
export const contraction: CostRules = {
  // n · (g co) · positions · ci · kernel
  Conv: (op) => ({ terms: [[...op.output(), ...op.input(1).slice(1)]], operands: [0, 1] }),
  DeformConv: (op) => ({ terms: [[...op.output(), ...op.input(1).slice(1)]], operands: [0, 1] }),
  // Every input position is scattered: n · (g ci) · positions · co · kernel
  ConvTranspose: (op) => ({ terms: [[...op.input(0), ...op.input(1).slice(1)]], operands: [0, 1] }),
  Gemm: (op) => ({ terms: [[...op.output(), op.input(0)[isTransposed(op) ? 0 : 1]!]], operands: [0, 1] }),
  // The last axis of the left operand is contracted, whatever its rank.
  MatMul: (op) => ({ terms: [[...op.output(), op.input(0).at(-1)!]], operands: [0, 1] }),
  Einsum: einsum,
  // Products of integers cost as much.
  ConvInteger: (op) => ({ terms: [[...op.output(), ...op.input(1).slice(1)]], operands: [0, 1] }),
  QLinearConv: (op) => ({ terms: [[...op.output(), ...op.input(3).slice(1)]], operands: [0, 3] }),
  MatMulInteger: (op) => ({ terms: [[...op.output(), op.input(0).at(-1)!]], operands: [0, 1] }),
  QLinearMatMul: (op) => ({ terms: [[...op.output(), op.input(0).at(-1)!]], operands: [0, 3] }),
};

function isTransposed({ node }: CostContext): boolean {
  const transA = node.attributes.get('transA');
  return transA?.type === 'int' && transA.value !== 0n;
}

/** One multiply-add for each combination of all letters; a single operand is only rearranged or summed. */
function einsum(op: CostContext): Price {
  const attribute = op.node.attributes.get('equation');
  const equation = attribute?.type === 'string' ? new TextDecoder().decode(attribute.value) : '';
  const sides = equation.replace(/\s/g, '').split('->')[0]!.split(',');
  if (sides.length < 2) return { terms: [], operands: [] };
  const letters = new Map<string, Axis>();
  sides.forEach((side, input) => {
    const axes = op.input(input);
    const names = spell(side, axes.length);
    axes.forEach((axis, i) => {
      const known = letters.get(names[i]!);
      if (!known || known.size === 1) letters.set(names[i]!, axis);
    });
  });
  return { terms: [[...letters.values()]], operands: sides.map((_, input) => input) };
}

/** One name per axis; axes under the ellipsis are numbered from the right, as they broadcast. */
function spell(side: string, rank: number): string[] {
  const [before, after] = side.split('...') as [string, string?];
  if (after === undefined) return [...before];
  const covered = rank - before.length - after.length;
  return [...before, ...Array.from({ length: covered }, (_, i) => `…${covered - 1 - i}`), ...after];
}
