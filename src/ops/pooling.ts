import { each, family, type OpFamily } from './op.js';

export const pooling: OpFamily = family(
  each('AveragePool GlobalAveragePool', { inputs: 'X', traits: ['averages'] }),
  each('MaxPool LpPool GlobalMaxPool GlobalLpPool', { inputs: 'X' }),
  { MaxUnpool: { inputs: 'X I output_shape' } },
);
