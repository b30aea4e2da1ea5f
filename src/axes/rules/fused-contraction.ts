import { intAttribute } from '../../onnx/attributes.js';
import { attribute, type Relation, type Role } from '../relation.js';
import { blocked, microsoft, NoRelation, presentInputs, type AxisRules, type OpContext } from '../rule.js';
import { convolution, gemm, gemmFactors, quantized, quantizers } from './contraction.js';

/** Sums of products that onnxruntime's optimiser and quantizer emit. Source: onnxruntime's docs/ContribOperators.md. */
export const fusedContraction: AxisRules = {
  ...microsoft('FusedMatMul', fusedMatMul),
  // The activation acts on each element.
  ...microsoft('FusedGemm', gemm),
  ...microsoft('FusedConv', (op) => ({
    ...convolution,
    notation: `${presentInputs(op, 'n (g ci) #…', '(g co) ci #…', '(g co)', 'n (g co) #…')} -> n (g co) #…`,
  })),
  ...microsoft('NhwcConv', nhwcConv),
  ...microsoft('CausalConvWithState', causalConv),
  ...microsoft('MatMulNBits', matMulNBits),
  ...microsoft('QGemm', (op) => {
    const [a, b] = gemmFactors(op);
    const right = `${b}${quantized(op, [4, 'j'], [5, 'j'], [6, 'j'], [7, ''], [8, ''])}`;
    return {
      notation: `${a}${quantized(op, [1, ''], [2, ''])}, ${right} -> i j`,
      contraction: [0, 3],
      roles: quantizers(1, 2, 4, 5, 7, 8),
    };
  }),
  ...microsoft('MatMulIntegerToFloat', (op) => ({
    notation: `… i k, … k j${quantized(op, [2, ''], [3, 'j'], [4, ''], [5, 'j'], [6, 'j'])} -> … i j`,
    contraction: [0, 1],
    roles: quantizers(2, 3, 4, 5),
  })),
  ...microsoft('DynamicQuantizeMatMul', (op) => ({
    notation: `… i k, k j${quantized(op, [2, 'j'], [3, 'j'], [4, 'j'])} -> … i j`,
    // Its scale is taken over all elements, and over 0: zeros at removed positions are neutral, on every axis. That the
    // weights are zero there would not be enough, so it is no plain contraction.
    roles: [op.shape(0).map((): Role => 'contract'), ['contract', 'produce'], 'pass', 'pass', 'shift'],
    multiplies: { terms: ['… i j k'], inputs: [0, 1] },
  })),
};

function fusedMatMul(op: OpContext): Relation {
  if (intAttribute(op.node, 'transBatchA', 0) || intAttribute(op.node, 'transBatchB', 0))
    throw new NoRelation('it moves its batch axes');
  const [a, b] = [op.shape(0).length, op.shape(1).length];
  if (a < 2 || b < 2) throw new NoRelation('an operand is a vector');
  const left = intAttribute(op.node, 'transA', 0) ? '… k i' : '… i k';
  const right = intAttribute(op.node, 'transB', 0) ? '… j k' : '… k j';
  return { notation: `${left}, ${right} -> … i j`, contraction: [0, 1] };
}

/** Channels are last; exporters disagree on where the weights have them. */
function nhwcConv(op: OpContext): Relation {
  const w = op.shape(1);
  const inner = op.shape(0).at(-1)! / intAttribute(op.node, 'group', 1);
  const kernel = w[1] === inner ? '(g co) ci #…' : '(g co) #… ci';
  const y = 'n #… (g co)';
  const inputs = presentInputs(op, 'n #… (g ci)', kernel, '(g co)', y);
  const relation = { ...convolution, notation: `${inputs} -> ${y}` };
  const isClear = w.filter((dim) => dim === inner).length === 1;
  return isClear ? relation : blocked(relation, 'which axis of its weights holds channels is ambiguous');
}

/** Each channel has a kernel of its own, which also meets the last positions of the step before. */
function causalConv(op: OpContext): Relation {
  const layout = ['channels_last', 'input_channels', 'state_window', 'state_length', 'state_update_capacity'];
  const unknown = layout.find((name) => intAttribute(op.node, name, 0) !== 0);
  if (unknown) throw new NoRelation(`its attribute '${unknown}' changes its layout`);
  const inputs = presentInputs(op, 'n c #l', 'c 1 #k', 'c', 'n c #p');
  return {
    notation: `${inputs} -> ${['n c #l', 'n c #q'].slice(0, op.outputCount).join(', ')}`,
    contraction: [0, 1],
    roles: [undefined, undefined, 'shift', 'pass'],
    why: convolution.why,
  };
}

/** Rows of blocks of `#e` weights that share a scale: outputs go one by one, inputs a block at a time. */
function matMulNBits(op: OpContext): Relation {
  const [size, inner] = [intAttribute(op.node, 'block_size', 0), intAttribute(op.node, 'K', 0)];
  const rank = op.shape(0).length;
  if (!(size > 0) || inner % size !== 0) throw new NoRelation('its last block is not full');
  if (op.has(4)) throw new NoRelation('its columns are permuted');
  // Zero points of neighbouring blocks share a byte.
  const k = op.has(3) ? '#k' : 'k';
  const scales = op.shape(2).length === 1 ? `(n ${k})` : `n ${k}`;
  const zeroPoints = op.has(3) ? (op.shape(3).length === 1 ? '(n #z)' : 'n #z') : '_';
  const inputs = presentInputs(op, `… (${k} #e)`, `n ${k} #b`, scales, zeroPoints, '_', 'n');
  return {
    notation: `${inputs} -> … n`,
    sizes: { 'k e': attribute('K'), e: attribute('block_size'), n: attribute('N') },
    multiplies: { terms: ['… n k e'], inputs: [0, 1] },
    // A block's scale is as large as its largest weight, so it tells importance where packed weights can't.
    roles: [
      [...new Array<undefined>(rank - 1).fill(undefined), 'contract'],
      'pass',
      'produce',
      'pass',
      undefined,
      'shift',
    ],
    why: 'weights are packed in whole blocks',
  };
}
