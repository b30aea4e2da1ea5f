import { each, family, withTraits, type OpFamily } from './op.js';

/** Ops that put the elements of their first input elsewhere and look at none of them. */
export const movement: OpFamily = withTraits(
  family(
    withTraits(
      family(
        {
          Reshape: {
            inputs: 'data shape',
            traits: ['view', 'reshapes'],
            parameters: { shape: [[1, 1]] },
          },
          Flatten: { inputs: 'input', traits: ['view'] },
          Transpose: { inputs: 'data', traits: ['permutes'] },
          Expand: { inputs: 'input shape', traits: ['expands'], parameters: { shape: [[1, 1]] } },
          Tile: { inputs: 'input repeats', parameters: { repeats: [[1, 1]] } },
          Concat: { inputs: 'inputs…', traits: ['joins'] },
          Split: {
            inputs: 'input split',
            traits: ['picks'],
            parameters: { split: [[1, 'split'], [13, 1]], num_outputs: [[18, 'num_outputs']] }, // prettier-ignore
          },
          ReverseSequence: { inputs: 'input sequence_lens' },
        },
        each('Squeeze Unsqueeze', {
          inputs: 'data axes',
          traits: ['view'],
          parameters: { axes: [[1, 'axes'], [13, 1]] }, // prettier-ignore
        }),
        each('DepthToSpace SpaceToDepth', { inputs: 'input' }),
      ),
      'moves',
    ),
    // These make up elements, or mix them.
    {
      Pad: {
        inputs: 'data pads constant_value axes',
        parameters: {
          pads: [[1, 'pads'], [11, 1]], // prettier-ignore
          value: [[1, 'value'], [11, 2]], // prettier-ignore
          axes: [[18, 3]],
        },
      },
      // From 19 on `axes` says which axes roi, scales and sizes are of.
      Resize: {
        inputs: 'X roi scales sizes',
        parameters: {
          roi: [[11, 1]],
          scales: [[10, 1], [11, 2]], // prettier-ignore
          sizes: [[11, 3]],
          axes: [[18, 'axes']],
        },
      },
      Upsample: { inputs: 'X scales', parameters: { scales: [[1, 'scales'], [9, 1]] } }, // prettier-ignore
      Trilu: { inputs: 'input k', parameters: { k: [[1, 1]] } },
      Col2Im: { inputs: 'input image_shape block_shape' },
      CenterCropPad: { inputs: 'input_data shape', parameters: { shape: [[1, 1]] } },
    },
  ),
  'rearranges',
);
