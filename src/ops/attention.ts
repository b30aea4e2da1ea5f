import { family, microsoft, withTraits, type OpFamily } from './op.js';

/** Attention in one op, and the embedding of positions that goes with it. */
export const attention: OpFamily = family(
  { RotaryEmbedding: { inputs: 'X cos_cache sin_cache position_ids' } },
  microsoft({ RotaryEmbedding: { inputs: 'input position_ids cos_cache sin_cache' } }),
  withTraits(
    family(
      { Attention: { inputs: 'Q K V attn_mask past_key past_value nonpad_kv_seqlen' } },
      microsoft({
        Attention: {
          inputs: 'input weights bias mask_index past attention_bias past_sequence_length',
          operands: { data: 'input', weight: 'weights', bias: 'bias' },
        },
        MultiHeadAttention: {
          inputs:
            'query key value bias key_padding_mask attention_bias past_key past_value past_sequence_length cache_indirection',
          operands: { bias: 'bias' },
        },
        GroupQueryAttention: {
          inputs:
            'query key value past_key past_value seqlens_k total_sequence_length cos_cache sin_cache position_ids attention_bias head_sink',
        },
        QAttention: {
          inputs:
            'input weight bias input_scale weight_scale mask_index input_zero_point weight_zero_point past',
        },
      }),
    ),
    'contracts',
  ),
);
