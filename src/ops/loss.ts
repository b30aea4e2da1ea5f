import type { OpFamily } from './op.js';

export const loss: OpFamily = {
  NegativeLogLikelihoodLoss: { inputs: 'input target weight' },
  SoftmaxCrossEntropyLoss: { inputs: 'scores labels weights' },
};
