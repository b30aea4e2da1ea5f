import { intAttribute } from '../onnx/attributes.js';
import type { OpFamily } from './op.js';

export const quantization: OpFamily = {
  QuantizeLinear: { inputs: 'x y_scale y_zero_point', traits: ['pointwise'] },
  DequantizeLinear: {
    inputs: 'x x_scale x_zero_point',
    traits: ['pointwise', 'rearranges'],
    operands: { weight: 'x', weightScale: 'x_scale', weightZeroPoint: 'x_zero_point', type: 'x_scale' },
    weightAxis: (node) => intAttribute(node, 'axis', 1),
  },
  DynamicQuantizeLinear: { inputs: 'x' },
};
