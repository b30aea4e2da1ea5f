import { each, family, withTraits, type OpFamily } from './op.js';

/** Ops that pick elements of their first input, or write to it, by index. */
export const indexing: OpFamily = family(
  withTraits(
    family(
      withTraits(
        {
          Slice: {
            inputs: 'data starts ends axes steps',
            parameters: {
              starts: [[1, 'starts'], [10, 1]], // prettier-ignore
              ends: [[1, 'ends'], [10, 2]], // prettier-ignore
              axes: [[1, 'axes'], [10, 3]], // prettier-ignore
              steps: [[10, 4]],
            },
          },
          Gather: { inputs: 'data indices', traits: ['gathers', 'ranked'] },
          GatherND: { inputs: 'data indices' },
          Compress: { inputs: 'input condition' },
        },
        'moves',
        'picks',
      ),
      each('Scatter ScatterElements ScatterND', { inputs: 'data indices updates' }),
      {
        // Each element comes from a place of its own: slices don't stay together.
        GatherElements: { inputs: 'data indices' },
        TensorScatter: { inputs: 'past_cache update write_indices' },
        TopK: { inputs: 'X K', traits: ['decides'], parameters: { k: [[1, 'k'], [10, 1]] } }, // prettier-ignore
        OneHot: { inputs: 'indices depth values', parameters: { depth: [[1, 1]], values: [[1, 2]] } },
        CumSum: { inputs: 'x axis', parameters: { axis: [[1, 1]] } },
        RoiAlign: { inputs: 'X rois batch_indices' },
        MaxRoiPool: { inputs: 'X rois' },
        GridSample: { inputs: 'X grid' },
      },
    ),
    'rearranges',
  ),
  {
    NonMaxSuppression: {
      inputs: 'boxes scores max_output_boxes_per_class iou_threshold score_threshold',
      traits: ['decides'],
    },
    NonZero: { inputs: 'X', traits: ['decides'] },
    Unique: { inputs: 'X', traits: ['decides'] },
  },
);
