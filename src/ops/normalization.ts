import { each, family, withTraits, type OpFamily } from './op.js';

/** Ops that take statistics of what they read, or read those taken in training. */
export const normalization: OpFamily = family(
  {
    // Statistics of its own it takes in training mode only.
    BatchNormalization: {
      inputs: 'X scale B input_mean input_var',
      operands: { data: 'X', scale: 'scale', bias: 'B', mean: 'input_mean', variance: 'input_var' },
    },
    LRN: { inputs: 'X' },
    Hardmax: { inputs: 'input', traits: ['decides'] },
  },
  withTraits(
    {
      InstanceNormalization: {
        inputs: 'input scale B',
        operands: { data: 'input', scale: 'scale', bias: 'B' },
      },
      GroupNormalization: { inputs: 'X scale bias', operands: { data: 'X', scale: 'scale', bias: 'bias' } },
      LayerNormalization: { inputs: 'X Scale B', operands: { data: 'X', scale: 'Scale', bias: 'B' } },
      ...each('RMSNormalization SimplifiedLayerNormalization', {
        inputs: 'X scale',
        operands: { data: 'X', scale: 'scale' },
      }),
      MeanVarianceNormalization: { inputs: 'X' },
      LpNormalization: { inputs: 'input' },
      Softmax: { inputs: 'input', traits: ['bounded', 'softmax'] },
      LogSoftmax: { inputs: 'input' },
    },
    'statistic',
  ),
);
