import { each, family, type OpEntry, type OpFamily, type Trait } from './op.js';

/** A reduction whose axes became an input at an opset. */
const reduce = (since: number, ...traits: readonly Trait[]): OpEntry => ({
  inputs: 'data axes',
  traits: ['statistic', ...traits],
  parameters: { axes: [[1, 'axes'], [since, 1]] }, // prettier-ignore
});

/** Ops that take one number, or one of its positions, from all elements along some axes. */
export const reduction: OpFamily = family(
  each(
    'ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare',
    reduce(18),
  ),
  {
    ReduceMean: reduce(18, 'averages'),
    ReduceSum: reduce(13),
    ArgMax: { inputs: 'data', traits: ['decides'] },
    ArgMin: { inputs: 'data', traits: ['decides'] },
    Det: { inputs: 'X', traits: ['ranked'] },
    DFT: {
      inputs: 'input dft_length axis',
      parameters: { dft_length: [[1, 1]], axis: [[1, 'axis'], [20, 2]] }, // prettier-ignore
    },
    STFT: { inputs: 'signal frame_step window frame_length' },
  },
);
