import type { OpFamily } from './op.js';

const first = (): number => 0;
const last = (): number => -1;

/** Sums of products. */
export const contraction: OpFamily = {
  Conv: {
    inputs: 'X W B',
    traits: ['contracts', 'layer', 'spatial', 'timed'],
    operands: { data: 'X', weight: 'W', bias: 'B' },
  },
  ConvTranspose: {
    inputs: 'X W B',
    traits: ['contracts', 'spatial', 'timed'],
    operands: { data: 'X', weight: 'W', bias: 'B' },
  },
  DeformConv: {
    inputs: 'X W offset B mask',
    traits: ['contracts', 'spatial'],
    operands: { data: 'X', weight: 'W', bias: 'B' },
  },
  Gemm: {
    inputs: 'A B C',
    traits: ['contracts', 'layer', 'timed'],
    operands: { data: 'A', weight: 'B', bias: 'C' },
  },
  MatMul: {
    inputs: 'A B',
    traits: ['contracts', 'multiplies', 'layer', 'timed'],
    operands: { data: 'A', weight: 'B' },
  },
  Einsum: { inputs: 'Inputs…', traits: ['contracts', 'ranked'] },
  ConvInteger: {
    inputs: 'x w x_zero_point w_zero_point',
    traits: ['contracts', 'spatial'],
    operands: { data: 'x', weight: 'w', dataZeroPoint: 'x_zero_point', weightZeroPoint: 'w_zero_point' },
    weightAxis: first,
  },
  QLinearConv: {
    inputs: 'x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B',
    traits: ['contracts', 'spatial'],
    operands: {
      ...{ data: 'x', weight: 'w', weightScale: 'w_scale', weightZeroPoint: 'w_zero_point', bias: 'B' },
      ...{ dataZeroPoint: 'x_zero_point', outputZeroPoint: 'y_zero_point' },
    },
    weightAxis: first,
  },
  MatMulInteger: {
    inputs: 'A B a_zero_point b_zero_point',
    traits: ['contracts'],
    operands: { data: 'A', weight: 'B', dataZeroPoint: 'a_zero_point', weightZeroPoint: 'b_zero_point' },
    weightAxis: last,
  },
  QLinearMatMul: {
    inputs: 'a a_scale a_zero_point b b_scale b_zero_point y_scale y_zero_point',
    traits: ['contracts'],
    operands: {
      ...{ data: 'a', weight: 'b', weightScale: 'b_scale', weightZeroPoint: 'b_zero_point' },
      ...{ dataZeroPoint: 'a_zero_point', outputZeroPoint: 'y_zero_point' },
    },
    weightAxis: last,
  },
};
