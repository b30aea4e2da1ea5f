import { intAttribute } from '../../onnx/attributes.js';
import type { Relation } from '../relation.js';
import type { AxisRules, OpContext } from '../rule.js';

const spatial = 'spatial positions are shared by a kernel window';

/** Sums of products: a letter on both factors but not on the output is contracted. */
export const contraction: AxisRules = {
  Conv: (op) => ({
    notation: biased(op, 'n (g ci) #…, (g co) ci #…', 'g co', 'n (g co) #…'),
    sizes: { g: intAttribute(op.node, 'group', 1) },
    contraction: true,
    why: spatial,
  }),
  ConvTranspose: (op) => ({
    notation: biased(op, 'n (g ci) #…, (g ci) co #…', 'g co', 'n (g co) #…'),
    sizes: { g: intAttribute(op.node, 'group', 1) },
    contraction: true,
    why: spatial,
  }),
  Gemm: gemm,
  MatMul: matMul,
};

function biased(op: OpContext, factors: string, bias: string, output: string): string {
  return op.has(2) ? `${factors}, (${bias}) -> ${output}` : `${factors} -> ${output}`;
}

function gemm(op: OpContext): Relation {
  const a = intAttribute(op.node, 'transA', 0) ? 'k i' : 'i k';
  const b = intAttribute(op.node, 'transB', 0) ? 'j k' : 'k j';
  if (!op.has(2)) return { notation: `${a}, ${b} -> i j`, contraction: true };
  const dims = op.shape(2);
  const c = ['i', 'j'].slice(2 - dims.length).map((letter, i) => (dims[i] === 1 ? '1' : letter));
  return { notation: `${a}, ${b}, ${c.join(' ')} -> i j`, contraction: true };
}

function matMul(op: OpContext): Relation {
  const [a, b] = [op.shape(0).length, op.shape(1).length];
  const left = a === 1 ? 'k' : '… i k';
  const right = b === 1 ? 'k' : '… k j';
  const output = `${a > 1 || b > 1 ? '…' : ''}${a > 1 ? ' i' : ''}${b > 1 ? ' j' : ''}`;
  return { notation: `${left}, ${right} -> ${output.trim()}`, contraction: true };
}
