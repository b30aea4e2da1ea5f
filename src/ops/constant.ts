import { each, family, type OpFamily } from './op.js';

/** Values that don't depend on the elements of any input but small ones: sizes, bounds. */
export const constant: OpFamily = family(
  {
    Constant: { traits: ['literal'] },
    ConstantOfShape: { inputs: 'input', traits: ['fills'], parameters: { input: [[1, 0]] } },
    Shape: { inputs: 'data', traits: ['sizes'] },
    Size: { inputs: 'data', traits: ['sizes', 'counts', 'ranked'] },
    Range: { inputs: 'start limit delta', parameters: { start: [[1, 0]], limit: [[1, 1]], delta: [[1, 2]] } },
    EyeLike: { inputs: 'input' },
    AffineGrid: { inputs: 'theta size' },
    MelWeightMatrix: {
      inputs: 'num_mel_bins dft_length sample_rate lower_edge_hertz upper_edge_hertz',
    },
  },
  each('BlackmanWindow HammingWindow HannWindow', { inputs: 'size' }),
);
