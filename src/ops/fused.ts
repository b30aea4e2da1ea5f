import { intAttribute } from '../onnx/attributes.js';
import { each, family, microsoft, withTraits, type OpFamily } from './op.js';

/** What onnxruntime's optimiser and quantizer emit. Source: onnxruntime's docs/ContribOperators.md. */
export const fused: OpFamily = microsoft(
  family(
    each('Gelu QuickGelu', { inputs: 'X', traits: ['pointwise'] }),
    each('BiasGelu', { inputs: 'A B', traits: ['pointwise'] }),
    each('FastGelu', { inputs: 'X bias', traits: ['pointwise'] }),
    withTraits(
      {
        SkipLayerNormalization: {
          inputs: 'input skip gamma beta bias',
          operands: { data: 'input', scale: 'gamma', bias: 'beta' },
        },
        SkipSimplifiedLayerNormalization: {
          inputs: 'input skip gamma bias',
          operands: { data: 'input', scale: 'gamma' },
        },
        GatedRMSNorm: { inputs: 'X scale gate', operands: { data: 'X', scale: 'scale' } },
        EmbedLayerNormalization: {
          inputs:
            'input_ids segment_ids word_embedding position_embedding segment_embedding gamma beta mask position_ids',
          operands: { scale: 'gamma', bias: 'beta' },
        },
      },
      'statistic',
    ),
    each('QLinearAdd QLinearMul', {
      inputs: 'A A_scale A_zero_point B B_scale B_zero_point C_scale C_zero_point',
      traits: ['pointwise'],
    }),
    each('QLinearSigmoid QLinearLeakyRelu', {
      inputs: 'X X_scale X_zero_point Y_scale Y_zero_point',
      traits: ['pointwise'],
    }),
    each('QLinearGlobalAveragePool QLinearAveragePool', {
      inputs: 'X x_scale x_zero_point y_scale y_zero_point',
    }),
    { QLinearConcat: { inputs: 'Y_scale Y_zero_point inputs…' } },
    withTraits(
      {
        FusedMatMul: { inputs: 'A B', operands: { data: 'A', weight: 'B' } },
        FusedGemm: { inputs: 'A B C', operands: { data: 'A', weight: 'B', bias: 'C' } },
        FusedConv: {
          inputs: 'X W B Z',
          traits: ['spatial'],
          operands: { data: 'X', weight: 'W', bias: 'B' },
        },
        CausalConvWithState: {
          inputs: 'input weight bias past_state',
          traits: ['spatial'],
          operands: { data: 'input', weight: 'weight', bias: 'bias' },
        },
        NhwcConv: { inputs: 'X W B Z', traits: ['spatial'], operands: { data: 'X', weight: 'W', bias: 'B' } },
        MatMulNBits: {
          inputs: 'A B scales zero_points g_idx bias',
          traits: ['decides'],
          operands: { data: 'A', weight: 'B', weightScale: 'scales', bias: 'bias' },
        },
        QGemm: {
          inputs: 'A a_scale a_zero_point B b_scale b_zero_point C y_scale y_zero_point',
          operands: {
            ...{ data: 'A', weight: 'B', weightScale: 'b_scale', weightZeroPoint: 'b_zero_point', bias: 'C' },
            ...{ dataZeroPoint: 'a_zero_point', outputZeroPoint: 'y_zero_point' },
          },
          weightAxis: (node) => (intAttribute(node, 'transB', 0) ? 0 : -1),
        },
        MatMulIntegerToFloat: {
          inputs: 'A B a_scale b_scale a_zero_point b_zero_point bias',
          operands: {
            ...{
              data: 'A',
              weight: 'B',
              weightScale: 'b_scale',
              weightZeroPoint: 'b_zero_point',
              dataZeroPoint: 'a_zero_point',
              bias: 'bias',
            },
          },
          weightAxis: () => -1,
        },
        DynamicQuantizeMatMul: {
          inputs: 'A B b_scale b_zero_point bias',
          traits: ['decides'],
          operands: {
            ...{
              data: 'A',
              weight: 'B',
              weightScale: 'b_scale',
              weightZeroPoint: 'b_zero_point',
              bias: 'bias',
            },
          },
          weightAxis: () => -1,
        },
      },
      'contracts',
    ),
  ),
);
