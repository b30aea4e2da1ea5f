import { intAttribute } from '../../onnx/attributes.js';
import type { Relation } from '../relation.js';
import { axisIndex, letters, NoRelation, ruleFor, type AxisRules, type OpContext } from '../rule.js';

/** Per tensor, or per position of one axis; scales and zero points follow it. Blocks of elements share a scale and stay. */
function linear(op: OpContext): Relation {
  const x = letters(op.shape(0).length);
  const scale = op.shape(1);
  if (intAttribute(op.node, 'block_size', 0) !== 0 || scale.length > 1)
    throw new NoRelation('blocks of elements share a scale');
  const isPerTensor = scale.length === 0 || scale[0] === 1;
  const axis = isPerTensor ? '' : x[axisIndex(intAttribute(op.node, 'axis', 1), x.length)]!;
  const parameter = scale.length === 0 ? '' : axis || '1';
  const zeroPoint = op.has(2) ? `, ${op.shape(2).length === 0 ? '' : parameter}` : '';
  return {
    notation: `${x.join(' ')}, ${parameter}${zeroPoint} -> ${x.join(' ')}`,
    roles: [undefined, 'pass', 'pass'],
  };
}

export const quantization: AxisRules = {
  ...ruleFor('QuantizeLinear DequantizeLinear', linear),
  // The range always takes in 0, so zeros at removed positions are neutral, as in a sum.
  DynamicQuantizeLinear: (op) => {
    const x = letters(op.shape(0).length);
    return { notation: `${x.join(' ')} -> ${x.join(' ')}, , `, sums: x };
  },
};
