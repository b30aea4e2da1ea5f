/** Formal input names of the default domain's ops at recent opsets, as onnx documents them. `…` repeats the name. */

const table: Readonly<Record<string, string>> = {
  AffineGrid: 'theta size',
  Attention: 'Q K V attn_mask past_key past_value nonpad_kv_seqlen',
  BatchNormalization: 'X scale B input_mean input_var',
  BitShift: 'X Y',
  BlackmanWindow: 'size',
  CastLike: 'input target_type',
  CenterCropPad: 'input_data shape',
  Clip: 'input min max',
  Col2Im: 'input image_shape block_shape',
  Compress: 'input condition',
  Concat: 'inputs…',
  ConcatFromSequence: 'input_sequence',
  ConstantOfShape: 'input',
  Conv: 'X W B',
  ConvInteger: 'x w x_zero_point w_zero_point',
  ConvTranspose: 'X W B',
  CumSum: 'x axis',
  DFT: 'input dft_length axis',
  DeformConv: 'X W offset B mask',
  DequantizeLinear: 'x x_scale x_zero_point',
  Dropout: 'data ratio training_mode',
  DynamicQuantizeLinear: 'x',
  Einsum: 'Inputs…',
  Expand: 'input shape',
  GRU: 'X W R B sequence_lens initial_h',
  Gather: 'data indices',
  GatherElements: 'data indices',
  GatherND: 'data indices',
  Gemm: 'A B C',
  GridSample: 'X grid',
  GroupNormalization: 'X scale bias',
  HammingWindow: 'size',
  HannWindow: 'size',
  If: 'cond',
  InstanceNormalization: 'input scale B',
  LSTM: 'X W R B sequence_lens initial_h initial_c P',
  LayerNormalization: 'X Scale B',
  Loop: 'M cond v_initial…',
  MatMul: 'A B',
  MatMulInteger: 'A B a_zero_point b_zero_point',
  Max: 'data_0…',
  MaxRoiPool: 'X rois',
  MaxUnpool: 'X I output_shape',
  Mean: 'data_0…',
  MelWeightMatrix: 'num_mel_bins dft_length sample_rate lower_edge_hertz upper_edge_hertz',
  Min: 'data_0…',
  Mod: 'A B',
  NegativeLogLikelihoodLoss: 'input target weight',
  NonMaxSuppression: 'boxes scores max_output_boxes_per_class iou_threshold score_threshold',
  OneHot: 'indices depth values',
  PRelu: 'X slope',
  Pad: 'data pads constant_value axes',
  Pow: 'X Y',
  QLinearConv: 'x x_scale x_zero_point w w_scale w_zero_point y_scale y_zero_point B',
  QLinearMatMul: 'a a_scale a_zero_point b b_scale b_zero_point y_scale y_zero_point',
  QuantizeLinear: 'x y_scale y_zero_point',
  RMSNormalization: 'X scale',
  RNN: 'X W R B sequence_lens initial_h',
  Range: 'start limit delta',
  Reshape: 'data shape',
  Resize: 'X roi scales sizes',
  ReverseSequence: 'input sequence_lens',
  RoiAlign: 'X rois batch_indices',
  RotaryEmbedding: 'X cos_cache sin_cache position_ids',
  STFT: 'signal frame_step window frame_length',
  Scan: 'initial_state_and_scan_inputs…',
  Scatter: 'data indices updates',
  ScatterElements: 'data indices updates',
  ScatterND: 'data indices updates',
  SequenceAt: 'input_sequence position',
  SequenceConstruct: 'inputs…',
  SequenceInsert: 'input_sequence tensor position',
  Slice: 'data starts ends axes steps',
  SoftmaxCrossEntropyLoss: 'scores labels weights',
  Split: 'input split',
  SplitToSequence: 'input split',
  Squeeze: 'data axes',
  Sum: 'data_0…',
  TensorScatter: 'past_cache update write_indices',
  Tile: 'input repeats',
  TopK: 'X K',
  Transpose: 'data',
  Trilu: 'input k',
  Unsqueeze: 'data axes',
  Upsample: 'X scales',
  Where: 'condition X Y',
};

const binary =
  'Add Sub Mul Div And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual BitwiseAnd BitwiseOr BitwiseXor';
const reductions =
  'ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceSumSquare';

const named = (ops: string, inputs: string): [string, readonly string[]][] =>
  ops.split(' ').map((op) => [op, inputs.split(' ')]);

/** Ops whose axes became an input, all in the same way. */
export const reductionOps: readonly string[] = reductions.split(' ');

const names: ReadonlyMap<string, readonly string[]> = new Map([
  ...Object.entries(table).map(([op, inputs]): [string, readonly string[]] => [op, inputs.split(' ')]),
  ...named(binary, 'A B'),
  ...named(reductions, 'data axes'),
]);

/** Formal names of an op's inputs at recent opsets; undefined for ops that aren't in the table. */
export function formalInputs(opType: string): readonly string[] | undefined {
  return names.get(opType);
}
