/** Attention in one op, between the products that make queries, keys and values and the one that reads the heads. */
import { microsoft, type GraphBuilder, type Steps, type Value } from './builder.js';
import type { Choices } from './choices.js';
import { linear } from './layers.js';
import { bytes, quantized, zeroPoint } from './quantization.js';

interface Stream {
  readonly x: Value;
  readonly n: number;
  readonly length: number;
  readonly inner: number;
}

function stream(g: GraphBuilder, c: Choices): Stream | undefined {
  const x = g.ofRank(c, 3, ({ dims }) => dims[1]! <= 12);
  if (!x) return undefined;
  const [n, length, inner] = x.dims as [number, number, number];
  return { x, n, length, inner };
}

/** The product that reads the heads, and sometimes the residual. */
function joined(g: GraphBuilder, c: Choices, { x, inner }: Stream, heads: Value): void {
  const y = linear(g, heads, c, inner);
  if (c.flag()) g.step('Add', [x, y], x.dims);
}

/** [n, length, heads * size] as [n, heads, length, size]. */
function nested(g: GraphBuilder, c: Choices, y: Value, heads: number): Value {
  const [n, length, width] = y.dims as [number, number, number];
  const split = g.reshape(y, [n, length, heads, width / heads], c);
  return g.op('Transpose', [split], [n, heads, length, width / heads], { perm: [0, 2, 1, 3] });
}

function flat(g: GraphBuilder, c: Choices, y: Value): Value {
  const [n, heads, length, size] = y.dims as [number, number, number, number];
  const back = g.op('Transpose', [y], [n, length, heads, size], { perm: [0, 2, 1, 3] });
  return g.reshape(back, [n, length, heads * size], c);
}

const standard = (g: GraphBuilder, c: Choices): void => {
  const from = stream(g, c);
  if (!from) return;
  const { x, n, length } = from;
  const [keyHeads, repeats] = [c.of([1, 2, 3]), c.of([1, 2])];
  const [size, valueSize] = [c.of([2, 3, 4]), c.of([2, 3, 4])];
  const heads = keyHeads * repeats;
  const projections = [heads * size, keyHeads * size, keyHeads * valueSize].map((width) =>
    linear(g, x, c, width),
  );
  const mask = c.of([undefined, [length, length], [1, heads, length, length], [1, 1, length, length]]);
  const bias = mask && g.weight(mask, c);
  const causal = { is_causal: mask ? 0 : c.below(2) };
  if (c.flag()) {
    const counts = { q_num_heads: heads, kv_num_heads: keyHeads };
    const y = g.op('Attention', [...projections, bias], [n, length, heads * valueSize], {
      ...counts,
      ...causal,
    });
    joined(g, c, from, y);
    return;
  }
  const split: (Value | undefined)[] = projections.map((y, i) => nested(g, c, y, i === 0 ? heads : keyHeads));
  const outputs = [[n, heads, length, valueSize]];
  // Keys and values of earlier steps, and what is kept for later ones.
  const past = !bias && c.flag();
  if (past) {
    const sizes = [size, valueSize];
    const made = sizes.map((d) => nested(g, c, linear(g, x, c, keyHeads * d), keyHeads));
    split.push(undefined, ...made);
    outputs.push(...sizes.map((d) => [n, keyHeads, 2 * length, d]));
  }
  const inputs = past ? split : [...split, bias];
  const [y, , values] = g.multi('Attention', inputs, outputs, causal);
  joined(g, c, from, flat(g, c, y!));
  if (values) linear(g, values, c, 2);
};

/** Pairs of dims turned by an angle that depends on the position. */
const rotary = (g: GraphBuilder, c: Choices, isStandard: boolean): void => {
  const from = stream(g, c);
  if (!from || (isStandard && g.settings.symbolic)) return;
  const { x, n, length } = from;
  const [heads, pairs] = [c.of([1, 2, 3]), c.of([1, 2, 3])];
  const rest = c.of([0, 0, 2]);
  const size = 2 * pairs + rest;
  const y = linear(g, x, c, heads * size);
  const isFlat = c.flag();
  const operand = isFlat ? y : nested(g, c, y, heads);
  const tables = [g.weight([length, pairs], c), g.weight([length, pairs], c)];
  // One offset stands for the positions of all sequences.
  const positions =
    isStandard || c.flag()
      ? g.ints(Array.from({ length: n * length }, () => g.below(length)), [n, length]) // prettier-ignore
      : g.ints([0]);
  const attributes = {
    interleaved: c.below(2),
    ...((rest > 0 || (isFlat && isStandard)) && { num_heads: heads }),
    ...(rest > 0 && { rotary_embedding_dim: 2 * pairs }),
  };
  const inputs = isStandard ? [operand, ...tables, positions] : [operand, positions, ...tables];
  if (!isStandard && g.settings.symbolic) inputs[1] = g.ints([0]);
  const op = isStandard ? 'RotaryEmbedding' : microsoft('RotaryEmbedding');
  const turned = g.op(op, inputs, operand.dims, attributes);
  joined(g, c, from, isFlat ? turned : flat(g, c, turned));
};

/** One packed weight makes queries, keys and values. */
const packed = (g: GraphBuilder, c: Choices): void => {
  const from = stream(g, c);
  if (!from) return;
  const { x, n, length, inner } = from;
  const [heads, size] = [c.of([1, 2, 3]), c.of([2, 3, 4])];
  const valueSize = c.flag() ? size : c.of([2, 3, 4]);
  const widths = [heads * size, heads * size, heads * valueSize];
  const total = widths.reduce((a, b) => a + b, 0);
  const w = g.weight([inner, total], c, { scale: 1 / Math.sqrt(inner) });
  const bias = c.flag() ? g.weight([1, heads, length, length], c) : undefined;
  const y = g.op(
    microsoft('Attention'),
    [x, w, g.weight([total], c), undefined, undefined, bias],
    [n, length, heads * valueSize],
    {
      num_heads: heads,
      unidirectional: c.below(2),
      ...(valueSize !== size && { qkv_hidden_sizes: widths }),
    },
  );
  joined(g, c, from, y);
};

const quantizedPacked = (g: GraphBuilder, c: Choices): void => {
  const from = stream(g, c);
  if (!from) return;
  const { x, n, length, inner } = from;
  const [heads, size] = [c.of([1, 2, 3]), c.of([2, 3, 4])];
  const total = 3 * heads * size;
  const q = quantized(g, x);
  const inputs = [q.x, bytes(g, [inner, total]), g.weight([total], c), q.scale, g.scalar(0.03)];
  const y = g.op(
    microsoft('QAttention'),
    [...inputs, undefined, q.zero, zeroPoint(g)],
    [n, length, total / 3],
    { num_heads: heads, unidirectional: 0 },
  );
  joined(g, c, from, y);
};

const multiHead = (g: GraphBuilder, c: Choices): void => {
  const from = stream(g, c);
  if (!from) return;
  const { x, n, length } = from;
  const [heads, size] = [c.of([1, 2, 3]), c.of([2, 3, 4])];
  const hasPast = c.below(3) === 1;
  // With a cache onnxruntime wants values as wide as keys.
  const valueSize = hasPast ? size : c.of([2, 3, 4]);
  const widths = [heads * size, heads * size, heads * valueSize];
  const projections = widths.map((width) => linear(g, x, c, width));
  const op = microsoft('MultiHeadAttention');
  const masks = [undefined, undefined, [1, 1, length, length], [1, heads, length, length]];
  const mask = hasPast ? undefined : c.of(masks);
  const packedBias = c.flag() ? g.weight([widths.reduce((a, b) => a + b, 0)], c) : undefined;
  // Keys and values of earlier steps, here made from the same values.
  const past = hasPast ? [0, 1].map(() => nested(g, c, linear(g, x, c, heads * size), heads)) : [];
  const inputs = [...projections, packedBias, undefined, mask && g.weight(mask, c), ...past];
  const total = hasPast ? 2 * length : length;
  const caches = c.flag() ? [size, valueSize].map((d) => [n, heads, total, d]) : [];
  const outputs = [[n, length, heads * valueSize], ...caches];
  const [y, , values] = g.multi(op, inputs, outputs, { num_heads: heads });
  joined(g, c, from, y!);
  if (values) linear(g, values, c, 2);
};

/** Its kernels take few head sizes, and the lengths of the sequences as an input. */
const groupedQuery = (g: GraphBuilder, c: Choices): void => {
  const from = stream(g, c);
  if (!from || g.settings.symbolic) return;
  const { x, n, length } = from;
  const rotation = c.below(3) === 1;
  const [keyHeads, repeats, size] = [c.of([1, 2]), c.of([1, 2]), rotation ? 16 : c.of([8, 16])];
  const heads = keyHeads * repeats;
  const isPacked = c.below(3) === 0;
  const widths = [heads * size, keyHeads * size, keyHeads * size];
  const projections: (Value | undefined)[] = isPacked
    ? [
        linear(
          g,
          x,
          c,
          widths.reduce((a, b) => a + b, 0),
        ),
        undefined,
        undefined,
      ]
    : widths.map((width) => linear(g, x, c, width));
  const lengths = g.ints(new Array<number>(n).fill(length - 1), [n], 'int32');
  const total = g.ints([length], [1], 'int32');
  const cache = [n, keyHeads, length, size];
  const tables = rotation ? [0, 1].map(() => g.weight([length + 2, size / 2], c)) : [];
  const [y] = g.multi(
    microsoft('GroupQueryAttention'),
    [...projections, undefined, undefined, lengths, total, ...tables],
    [[n, length, heads * size], cache, cache],
    { num_heads: heads, kv_num_heads: keyHeads, ...(rotation && { do_rotary: 1 }) },
  );
  joined(g, c, from, y!);
};

export const attention: Steps = {
  Attention: { since: 23, step: standard },
  RotaryEmbedding: { since: 23, step: (g, c) => rotary(g, c, true) },
  'com.microsoft::RotaryEmbedding': (g, c) => rotary(g, c, false),
  'com.microsoft::Attention': packed,
  'com.microsoft::MultiHeadAttention': multiHead,
  'com.microsoft::GroupQueryAttention': groupedQuery,
  'com.microsoft::QAttention': quantizedPacked,
};
