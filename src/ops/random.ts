import { each, family, withTraits, type OpFamily } from './op.js';

export const random: OpFamily = withTraits(
  family(each('Bernoulli Multinomial RandomNormalLike RandomUniformLike', { inputs: 'input' }), {
    RandomNormal: {},
    RandomUniform: {},
  }),
  'random',
  'decides',
);
