import { floatAttribute, intAttribute, intsAttribute } from '../../onnx/attributes.js';
import type { Node } from '../../onnx/model.js';
import type { AxisChange } from '../projection.js';
import { keptBefore, keptBlocks, type NodeChange, type RewriteRule, type RewriteRules } from '../rule.js';

/** Scores are divided by √(head size): the dense divisor stays when head sizes shrink. */
function frozenScale(node: Node, before: number, after: number): NodeChange['float'] {
  if (before === after) return {};
  return { scale: floatAttribute(node, 'scale', 0) || 1 / Math.sqrt(before) };
}

/** The part of an axis from `start` on. */
function part({ mask }: AxisChange, start: number, before: number): AxisChange {
  const piece = mask?.subarray(start, start + before);
  return { before, after: piece ? piece.reduce((sum, bit) => sum + bit, 0) : before, mask: piece };
}

/** Heads and head size of an axis `(heads dims)`, before and after. */
function headsOf(axis: AxisChange, heads: number) {
  const kept = keptBlocks(axis, heads);
  return { kept, before: axis.before / heads, after: axis.after / kept };
}

const packedAttention: RewriteRule = {
  reads: [],
  change(op) {
    const packed = op.input(1)[1]!;
    const third = packed.before / 3;
    const given = intsAttribute(op.node, 'qkv_hidden_sizes');
    const [queries, keys] = given ?? [third, third];
    const q = part(packed, 0, queries!);
    const { kept, before, after } = headsOf(q, intAttribute(op.node, 'num_heads', 1));
    const upToKeys = keptBefore(packed, queries! + keys!);
    const sizes = [q.after, upToKeys - q.after, packed.after - upToKeys];
    return {
      int: { num_heads: kept },
      float: frozenScale(op.node, before, after),
      ...((given || sizes[0] !== sizes[2]) && { ints: { qkv_hidden_sizes: sizes } }),
    };
  },
};

const multiHeadAttention: RewriteRule = {
  reads: [],
  change(op) {
    const x = op.input(0);
    const isPacked = x.length === 5;
    const { kept, before, after } = isPacked
      ? { kept: x[2]!.after, before: x[4]!.before, after: x[4]!.after }
      : headsOf(x[2]!, intAttribute(op.node, 'num_heads', 1));
    return { int: { num_heads: kept }, float: frozenScale(op.node, before, after) };
  },
};

const groupQueryAttention: RewriteRule = {
  reads: [],
  change(op) {
    const [queryHeads, keyHeads] = [
      intAttribute(op.node, 'num_heads', 1),
      intAttribute(op.node, 'kv_num_heads', 1),
    ];
    const packed = op.input(0)[2]!;
    const width = packed.before / (op.has(1) ? queryHeads : queryHeads + 2 * keyHeads);
    const queries = headsOf(part(packed, 0, queryHeads * width), queryHeads);
    const keys = op.has(1) ? op.input(1)[2]! : part(packed, queryHeads * width, keyHeads * width);
    return {
      int: { num_heads: queries.kept, kv_num_heads: headsOf(keys, keyHeads).kept },
      float: frozenScale(op.node, queries.before, queries.after),
    };
  },
};

const standardAttention: RewriteRule = {
  reads: [],
  change(op) {
    const [q, k] = [op.input(0), op.input(1)];
    if (q.length === 4) return { float: frozenScale(op.node, q[3]!.before, q[3]!.after) };
    const queries = headsOf(q[2]!, intAttribute(op.node, 'q_num_heads', 1));
    const keys = headsOf(k[2]!, intAttribute(op.node, 'kv_num_heads', 1));
    return {
      int: { q_num_heads: queries.kept, kv_num_heads: keys.kept },
      float: frozenScale(op.node, queries.before, queries.after),
    };
  },
};

const rotary = (cos: number): RewriteRule => ({
  reads: [],
  change(op) {
    const x = op.input(0);
    const heads = intAttribute(op.node, 'num_heads', 0);
    const pairs = op.input(cos).at(-1)!;
    return {
      int: {
        ...(heads > 0 && { num_heads: x.length === 4 ? x[1]!.after : keptBlocks(x[2]!, heads) }),
        ...(intAttribute(op.node, 'rotary_embedding_dim', 0) > 0 && {
          rotary_embedding_dim: 2 * pairs.after,
        }),
      },
    };
  },
});

export const attention: RewriteRules = {
  Attention: standardAttention,
  RotaryEmbedding: rotary(1),
  'com.microsoft::RotaryEmbedding': rotary(2),
  'com.microsoft::Attention': packedAttention,
  'com.microsoft::MultiHeadAttention': multiHeadAttention,
  'com.microsoft::GroupQueryAttention': groupQueryAttention,
};
