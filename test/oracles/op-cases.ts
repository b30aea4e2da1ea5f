/** Random cases for the rule of every op: dims, attributes and opsets that the op takes. */
import fc from 'fast-check';
import { ops, opsIn } from '../../src/ops/index.js';
import { ints, keptElements, w, x, type ElementType, type NumberTensor, type OpCase } from './single-op.js';

type Cases = fc.Arbitrary<OpCase>;

const size = fc.integer({ min: 1, max: 6 });
const dimsOf = (min: number, max: number) => fc.array(size, { minLength: min, maxLength: max });
const opsets = fc.constantFrom(11, 13, 18, 21);
const only = (op: string, rest: Omit<OpCase, 'op' | 'opset'> & { readonly opset?: number }): OpCase => ({
  opset: 21,
  ...rest,
  op,
});
const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

const unary = (op: string, dtype: ElementType = 'float32'): Cases =>
  dimsOf(1, 4).map((dims) => only(op, { operands: [x(dims, { dtype })] }));

/** Operands that broadcast: each drops leading axes or has some of size 1. */
const broadcastDims = (count: number) =>
  fc
    .tuple(
      dimsOf(1, 4),
      fc.array(fc.tuple(fc.nat(4), fc.nat(15)), { minLength: count - 1, maxLength: count - 1 }),
    )
    .map(([dims, others]) => [
      dims,
      ...others.map(([drop, ones]) =>
        dims.map((dim, i) => ((ones >> i) & 1 ? 1 : dim)).slice(Math.min(drop, dims.length - 1)),
      ),
    ]);

const variadic = (
  op: string,
  count: number,
  dtype: ElementType = 'float32',
  rest: Partial<OpCase> = {},
): Cases =>
  fc.tuple(broadcastDims(count), fc.boolean()).map(([dims, weights]) =>
    only(op, {
      ...rest,
      operands: dims.map((d, i) => (i > 0 && weights ? w(d, { dtype }) : x(d, { dtype }))),
    }),
  );

const named = (names: string, make: (op: string) => Cases): Record<string, Cases> =>
  Object.fromEntries(names.split(/\s+/).map((op) => [op, make(op)]));

/** Pointwise ops that don't simply take numbers. */
const unlikeOthers: Record<string, Cases> = {
  Dropout: unary('Dropout'),
  Swish: dimsOf(1, 4).map((dims) => only('Swish', { opset: 24, operands: [x(dims)] })),
  Not: unary('Not', 'bool'),
  BitwiseNot: unary('BitwiseNot', 'int32'),
  Cast: dimsOf(1, 4).map((dims) => only('Cast', { operands: [x(dims)], attributes: { to: 7 } })),
  BitCast: dimsOf(1, 4).map((dims) =>
    only('BitCast', { opset: 26, operands: [x(dims)], attributes: { to: 6 } }),
  ),
  CastLike: dimsOf(1, 4).map((dims) => only('CastLike', { operands: [x(dims), w([1], { dtype: 'int64' })] })),
  Clip: dimsOf(1, 4).map((dims) =>
    only('Clip', { operands: [x(dims), w([], { values: [-0.5] }), w([], { values: [0.5] })] }),
  ),
  ...named('And Or Xor', (op) => variadic(op, 2, 'bool')),
  ...named('BitwiseAnd BitwiseOr BitwiseXor', (op) => variadic(op, 2, 'int32')),
  BitShift: variadic('BitShift', 2, 'uint32', { attributes: { direction: 'LEFT' } }),
  Mod: variadic('Mod', 2, 'float32', { attributes: { fmod: 1 } }),
  Where: broadcastDims(3).map(([a, b, c]) =>
    only('Where', { operands: [x(c!, { dtype: 'bool' }), x(a!), w(b!)] }),
  ),
  // The slope must broadcast to the input.
  PRelu: broadcastDims(2).map(([a, b]) => only('PRelu', { operands: [x(a!), w(b!)] })),
};

/** Numbers in, as many operands as the registry names. */
function pointwise(op: string): Cases {
  const { inputs } = ops.get(op)!;
  if (inputs.at(-1)!.endsWith('…')) return variadic(op, 3);
  return inputs.length === 1 ? unary(op) : variadic(op, inputs.length);
}

const elementwise: Record<string, Cases> = Object.fromEntries(
  opsIn('elementwise').map((op) => [op, unlikeOthers[op] ?? pointwise(op)]),
);

interface ConvDims {
  readonly batch: number;
  readonly group: number;
  readonly inner: number;
  readonly outer: number;
  readonly spatial: number;
  readonly kernel: number;
  readonly bias: boolean;
  readonly stride: number;
  readonly pad: number;
}
const convDims: fc.Arbitrary<ConvDims> = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 4 }),
  inner: fc.integer({ min: 1, max: 4 }),
  outer: fc.integer({ min: 1, max: 4 }),
  spatial: fc.integer({ min: 1, max: 3 }),
  kernel: fc.integer({ min: 1, max: 3 }),
  bias: fc.boolean(),
  stride: fc.integer({ min: 1, max: 2 }),
  pad: fc.integer({ min: 0, max: 1 }),
});
const window = ({ spatial, kernel, stride, pad }: ConvDims) => ({
  kernel_shape: new Array<number>(spatial).fill(kernel),
  strides: new Array<number>(spatial).fill(stride),
  pads: new Array<number>(2 * spatial).fill(kernel > 1 ? pad : 0),
});
const positions = ({ spatial }: ConvDims): number[] => new Array<number>(spatial).fill(5);

const contraction: Record<string, Cases> = {
  Conv: convDims.map((c) =>
    only('Conv', {
      operands: [
        x([c.batch, c.group * c.inner, ...positions(c)]),
        w([c.group * c.outer, c.inner, ...window(c).kernel_shape]),
        c.bias ? w([c.group * c.outer]) : undefined,
      ],
      attributes: { group: c.group, ...window(c) },
    }),
  ),
  ConvTranspose: convDims.map((c) =>
    only('ConvTranspose', {
      operands: [
        x([c.batch, c.group * c.inner, ...positions(c)]),
        w([c.group * c.inner, c.outer, ...window(c).kernel_shape]),
        c.bias ? w([c.group * c.outer]) : undefined,
      ],
      attributes: { group: c.group, ...window(c) },
    }),
  ),
  DeformConv: convDims.map((c) => {
    const kernel = [c.kernel, c.kernel];
    const out = 6 - c.kernel;
    return only('DeformConv', {
      operands: [
        x([c.batch, c.group * c.inner, 5, 5]),
        w([c.group * c.outer, c.inner, ...kernel]),
        x([c.batch, 2 * c.kernel * c.kernel, out, out]),
        ...(c.bias ? [w([c.group * c.outer])] : []),
      ],
      attributes: { group: c.group, kernel_shape: kernel },
    });
  }),
  ConvInteger: convDims.map((c) =>
    only('ConvInteger', {
      operands: [
        x([c.batch, c.group * c.inner, 5, 5], { dtype: 'uint8' }),
        w([c.group * c.outer, c.inner, c.kernel, c.kernel], { dtype: 'uint8' }),
      ],
      attributes: { group: c.group },
    }),
  ),
  QLinearConv: convDims.map((c) =>
    only('QLinearConv', {
      operands: [
        x([c.batch, c.group * c.inner, 5, 5], { dtype: 'uint8' }),
        w([], { values: [0.5] }),
        w([], { values: [0], dtype: 'uint8' }),
        w([c.group * c.outer, c.inner, c.kernel, c.kernel], { dtype: 'uint8' }),
        c.bias ? w([c.group * c.outer], { positive: true }) : w([], { values: [0.25] }),
        w([], { values: [0], dtype: 'uint8' }),
        w([], { values: [0.5] }),
        w([], { values: [0], dtype: 'uint8' }),
        w([c.group * c.outer], { dtype: 'int32' }),
      ],
      attributes: { group: c.group },
    }),
  ),
  Gemm: fc.tuple(size, size, size, fc.nat(3), fc.nat(4)).map(([i, k, j, flags, bias]) =>
    only('Gemm', {
      operands: [
        x(flags & 1 ? [k, i] : [i, k]),
        w(flags & 2 ? [j, k] : [k, j]),
        [undefined, w([j]), w([1, j]), w([i, j]), w([i, 1])][bias],
      ],
      attributes: { transA: flags & 1, transB: flags >> 1 },
    }),
  ),
  MatMul: fc.tuple(dimsOf(0, 2), size, size, size, fc.nat(3)).map(([batch, i, k, j, form]) =>
    only('MatMul', {
      operands: [
        [x([...batch, i, k]), w([k, j])],
        [x([...batch, i, k]), x([...batch.map((_, a) => (a === 0 ? 1 : batch[a]!)), k, j])],
        [x([k]), x([...batch, k, j])],
        [x([...batch, i, k]), w([k])],
      ][form]!,
    }),
  ),
  MatMulInteger: fc
    .tuple(size, size, size)
    .map(([i, k, j]) =>
      only('MatMulInteger', { operands: [x([i, k], { dtype: 'uint8' }), w([k, j], { dtype: 'uint8' })] }),
    ),
  QLinearMatMul: fc.tuple(size, size, size).map(([i, k, j]) =>
    only('QLinearMatMul', {
      operands: [
        x([i, k], { dtype: 'uint8' }),
        w([], { values: [0.5] }),
        w([], { values: [0], dtype: 'uint8' }),
        w([k, j], { dtype: 'uint8' }),
        w([], { values: [0.5] }),
        w([], { values: [0], dtype: 'uint8' }),
        w([], { values: [0.25] }),
        w([], { values: [0], dtype: 'uint8' }),
      ],
    }),
  ),
  Einsum: fc
    .tuple(
      fc.constantFrom('bik,bkj->bij', 'ik,jk->ij', 'bhid,bhjd->bhij', 'ij->ji', 'ik,kj', 'abc->b'),
      fc.array(size, { minLength: 26, maxLength: 26 }),
    )
    .map(([equation, sizes]) =>
      only('Einsum', {
        operands: equation
          .split('->')[0]!
          .split(',')
          .map((letters) => x([...letters].map((letter) => sizes[letter.charCodeAt(0) - 97]!))),
        attributes: { equation },
      }),
    ),
};

const normalization: Record<string, Cases> = {
  BatchNormalization: fc.tuple(dimsOf(2, 4), fc.boolean()).map(([dims, isTraining]) => {
    const c = [dims[1]!];
    return only('BatchNormalization', {
      operands: [x(dims), w(c), w(c), w(c), w(c, { positive: true })],
      ...(isTraining && { attributes: { training_mode: 1 }, outputs: 3 }),
    });
  }),
  InstanceNormalization: dimsOf(3, 4).map((dims) =>
    only('InstanceNormalization', {
      operands: [x(dims), w([dims[1]!]), w([dims[1]!])],
      reference: (inputs, masks) =>
        standardized(inputs, masks, { axes: dims.map((_, i) => i).slice(2), parameterAxis: 1 }),
    }),
  ),
  ...named('LayerNormalization', (op) =>
    fc.tuple(dimsOf(2, 4), fc.nat(3), fc.boolean()).map(([dims, from, bias]) => {
      const first = Math.min(from, dims.length - 1);
      const inner = dims.slice(first);
      return only(op, {
        operands: [x(dims), w(inner), ...(bias ? [w(inner)] : [])],
        attributes: { axis: first - dims.length },
        reference: (inputs, masks) =>
          standardized(inputs, masks, { axes: dims.map((_, i) => i).slice(first) }),
      });
    }),
  ),
  ...named('RMSNormalization SimplifiedLayerNormalization', (op) =>
    dimsOf(2, 4).map((dims) =>
      only(op, {
        opset: op === 'RMSNormalization' ? 23 : 21,
        operands: [x(dims), w(dims.slice(-1))],
        reference: (inputs, masks) =>
          standardized(inputs, masks, { axes: [dims.length - 1], centred: false }),
      }),
    ),
  ),
  GroupNormalization: fc.tuple(fc.integer({ min: 1, max: 3 }), size, size, size).map(([g, c, n, s]) =>
    only('GroupNormalization', {
      operands: [x([n, g * c, s, 2]), w([g * c]), w([g * c])],
      attributes: { num_groups: g },
      reference: (inputs, masks) =>
        standardized(inputs, masks, { axes: [2, 3], blocks: c, parameterAxis: 1 }),
    }),
  ),
  MeanVarianceNormalization: fc
    .tuple(dimsOf(4, 4), fc.constantFrom([0, 2, 3], [2, 3], [1]))
    .map(([dims, axes]) =>
      only('MeanVarianceNormalization', {
        operands: [x(dims)],
        attributes: { axes },
        reference: (inputs, masks) => standardized(inputs, masks, { axes, epsilon: 1e-9 }),
      }),
    ),
  LpNormalization: dimsOf(2, 3).map((dims) => only('LpNormalization', { operands: [x(dims)] })),
  LRN: dimsOf(4, 4).map((dims) => only('LRN', { operands: [x(dims)], attributes: { size: 3 } })),
  ...named('Softmax LogSoftmax Hardmax', (op) =>
    fc
      .tuple(dimsOf(2, 4), fc.nat(3), opsets)
      .map(([dims, axis, opset]) =>
        only(op, { opset, operands: [x(dims)], attributes: { axis: Math.min(axis, dims.length - 1) } }),
      ),
  ),
};

/** Statistics over kept elements only, in double precision; output positions that go are left undefined (NaN). */
export function standardized(
  [input, scale, bias]: readonly (NumberTensor | undefined)[],
  masks: readonly Uint8Array[],
  how: {
    readonly axes: readonly number[];
    readonly centred?: boolean;
    /** Channels (axis 1) in blocks of this many share statistics. */
    readonly blocks?: number;
    /** The axis that scale and bias run along; default: the last ones. */
    readonly parameterAxis?: number;
    readonly epsilon?: number;
  },
): number[] {
  const { dims, values } = input!;
  const { axes, centred = true, blocks, parameterAxis, epsilon = 1e-5 } = how;
  const kept = keptElements(dims, masks);
  const at = values.map((_, index) => {
    const position = new Array<number>(dims.length);
    for (let axis = dims.length - 1, rest = index; axis >= 0; axis--) {
      position[axis] = rest % dims[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    return position;
  });
  const keys = at.map((position) =>
    position
      .map((p, axis) => (axes.includes(axis) ? '' : blocks && axis === 1 ? Math.floor(p / blocks) : p))
      .join(),
  );
  const sums = new Map<string, { n: number; sum: number; square: number }>();
  values.forEach((v, i) => {
    if (!kept[i]) return;
    const s = sums.get(keys[i]!) ?? { n: 0, sum: 0, square: 0 };
    sums.set(keys[i]!, { n: s.n + 1, sum: s.sum + v, square: s.square + v * v });
  });
  return values.map((v, i) => {
    const s = sums.get(keys[i]!);
    if (!s) return NaN;
    const mean = centred ? s.sum / s.n : 0;
    const y = (v - mean) / Math.sqrt(s.square / s.n - mean * mean + epsilon);
    const k = (length: number): number => (parameterAxis === undefined ? i % length : at[i]![parameterAxis]!);
    return (
      y * (scale ? scale.values[k(scale.values.length)]! : 1) +
      (bias ? bias.values[k(bias.values.length)]! : 0)
    );
  });
}

const pooling: Record<string, Cases> = {
  ...named('MaxPool AveragePool LpPool', (op) =>
    convDims.map((c) =>
      only(op, {
        operands: [x([c.batch, c.inner, ...positions(c)])],
        attributes: { ...window({ ...c, pad: 0 }) },
      }),
    ),
  ),
  ...named('GlobalAveragePool GlobalMaxPool GlobalLpPool', (op) =>
    dimsOf(3, 4).map((dims) => only(op, { operands: [x(dims)] })),
  ),
};

const reduceCase = fc.record({
  dims: dimsOf(2, 4),
  pick: fc.integer({ min: 0, max: 15 }),
  keepdims: fc.nat(1),
  opset: opsets,
});
const reduction: Record<string, Cases> = {
  Det: fc.tuple(size, size).map((dims) => only('Det', { operands: [x([...dims, 3, 3])] })),
  DFT: fc
    .tuple(size, size, fc.integer({ min: 1, max: 2 }))
    .map(([n, c, parts]) => only('DFT', { opset: 17, operands: [x([n, 4, c, parts])] })),
  STFT: size.map((n) =>
    only('STFT', {
      opset: 17,
      operands: [
        x([n, 16, 1]),
        w([], { dtype: 'int64', values: [4] }),
        undefined,
        w([], { dtype: 'int64', values: [8] }),
      ],
    }),
  ),
  ...named(
    `ReduceSum ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSum ReduceMean ReduceMax ReduceMin ReduceProd
     ReduceLogSumExp`,
    (op) =>
      reduceCase.map(({ dims, pick, keepdims, opset }) => {
        const axes = dims.map((_, i) => i).filter((i) => (pick >> i) & 1);
        const asInput = opset >= (op === 'ReduceSum' ? 13 : 18);
        return only(op, {
          opset,
          operands: [
            x(dims, { positive: op === 'ReduceLogSum' }),
            asInput && axes.length > 0 ? ints(axes) : undefined,
          ],
          attributes: { keepdims, ...(!asInput && axes.length > 0 ? { axes } : {}) },
          ...(op === 'ReduceMax' && { fill: -Infinity }),
          ...(op === 'ReduceMin' && { fill: Infinity }),
          ...(op === 'ReduceMean' && { reference: ([input], masks) => keptMean(input!, masks, axes) }),
        });
      }),
  ),
  ...named('ArgMax ArgMin', (op) =>
    reduceCase.map(({ dims, pick, keepdims }) =>
      only(op, { operands: [x(dims)], attributes: { axis: pick % dims.length, keepdims } }),
    ),
  ),
};

function keptMean(
  { dims, values }: NumberTensor,
  masks: readonly Uint8Array[],
  axes: readonly number[],
): number[] {
  const reduced = dims.map((_, i) => axes.length === 0 || axes.includes(i));
  const output = dims.map((dim, i) => (reduced[i] ? 1 : dim));
  const strides = output.map((_, i) => product(output.slice(i + 1)));
  const sums = new Array<number>(product(output)).fill(0);
  const counts = [...sums];
  values.forEach((v, index) => {
    let target = 0;
    let counted = true;
    for (let axis = dims.length - 1, rest = index; axis >= 0; axis--) {
      const p = rest % dims[axis]!;
      rest = Math.floor(rest / dims[axis]!);
      if (!reduced[axis]) target += p * strides[axis]!;
      else counted &&= masks[axis]![p] === 1;
    }
    if (!counted) return;
    sums[target]! += v;
    counts[target]!++;
  });
  return sums.map((sum, i) => sum / counts[i]!);
}

/** Splits a list of prime factors into runs: dims with a given product. */
const groupings = fc
  .tuple(
    fc.array(fc.constantFrom(2, 2, 3), { minLength: 2, maxLength: 6 }),
    fc.nat(63),
    fc.nat(63),
    fc.nat(7),
  )
  .map(([primes, cutA, cutB, ones]) => {
    const group = (cuts: number): number[] => {
      const dims = [1];
      primes.forEach((p, i) => {
        dims[dims.length - 1]! *= p;
        if ((cuts >> i) & 1 && i < primes.length - 1) dims.push(1);
      });
      return dims;
    };
    const [a, b] = [group(cutA), group(cutB)];
    if (ones & 1) a.unshift(1);
    if (ones & 2) b.push(1);
    return { a, b };
  });

const parts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
const movement: Record<string, Cases> = {
  Col2Im: fc
    .tuple(size, size)
    .map(([n, c]) => only('Col2Im', { operands: [x([n, c * 4, 25]), ints([6, 6]), ints([2, 2])] })),
  CenterCropPad: fc
    .tuple(size, size)
    .map(([n, c]) =>
      only('CenterCropPad', { operands: [x([n, c, 6]), ints([4])], attributes: { axes: [2] } }),
    ),
  Reshape: fc.tuple(groupings, fc.nat(8), fc.boolean()).map(([{ a, b }, free, zero]) => {
    const target: number[] = b.map((dim, i) => (i === free ? -1 : dim));
    if (zero) target.forEach((dim, i) => { if (dim === a[i]) target[i] = 0; }); // prettier-ignore
    return only('Reshape', { operands: [x(a), ints(target)] });
  }),
  Flatten: fc
    .tuple(dimsOf(2, 4), fc.nat(4))
    .map(([dims, axis]) =>
      only('Flatten', { operands: [x(dims)], attributes: { axis: Math.min(axis, dims.length) } }),
    ),
  Squeeze: fc.tuple(dimsOf(1, 3), fc.nat(3), opsets, fc.boolean()).map(([dims, at, opset, given]) => {
    const axis = Math.min(at, dims.length);
    const operand = x(dims.toSpliced(axis, 0, 1));
    if (!given) return only('Squeeze', { opset, operands: [operand] });
    if (opset < 13) return only('Squeeze', { opset, operands: [operand], attributes: { axes: [axis] } });
    return only('Squeeze', { opset, operands: [operand, ints([axis])] });
  }),
  Unsqueeze: fc
    .tuple(dimsOf(1, 3), opsets)
    .map(([dims, opset]) =>
      opset < 13
        ? only('Unsqueeze', { opset, operands: [x(dims)], attributes: { axes: [0, 2] } })
        : only('Unsqueeze', { opset, operands: [x(dims), ints([0, 2])] }),
    ),
  Transpose: dimsOf(2, 4).chain((dims) =>
    fc
      .shuffledSubarray(
        dims.map((_, i) => i),
        { minLength: dims.length },
      )
      .map((perm) => only('Transpose', { operands: [x(dims)], attributes: { perm } })),
  ),
  Expand: fc.tuple(dimsOf(2, 4), fc.nat(15), fc.nat(3)).map(([dims, ones, drop]) =>
    only('Expand', {
      operands: [
        x(dims.map((dim, i) => ((ones >> i) & 1 ? 1 : dim)).slice(Math.min(drop, dims.length - 1))),
        ints(dims),
      ],
    }),
  ),
  Tile: dimsOf(1, 3).chain((dims) =>
    fc
      .array(fc.integer({ min: 1, max: 3 }), { minLength: dims.length, maxLength: dims.length })
      .map((repeats) => only('Tile', { operands: [x(dims), ints(repeats)] })),
  ),
  Concat: fc.tuple(dimsOf(1, 3), fc.nat(2), parts).map(([dims, at, sizes]) => {
    const axis = Math.min(at, dims.length - 1);
    return only('Concat', { operands: sizes.map((s) => x(dims.with(axis, s))), attributes: { axis } });
  }),
  Split: fc
    .tuple(dimsOf(1, 3), fc.nat(2), parts, opsets, fc.boolean())
    .map(([dims, at, sizes, opset, equal]) => {
      const axis = Math.min(at, dims.length - 1);
      const total = equal ? sizes.length * 3 : sizes.reduce((a, b) => a + b, 0);
      const pieces: Record<string, number | readonly number[]> = {};
      if (equal && opset >= 18) pieces.num_outputs = sizes.length;
      if (!equal && opset < 13) pieces.split = sizes;
      return only('Split', {
        opset,
        operands: [x(dims.with(axis, total)), ...(!equal && opset >= 13 ? [ints(sizes)] : [])],
        attributes: { axis, ...pieces },
        outputs: sizes.length,
      });
    }),
  Pad: fc
    .tuple(
      dimsOf(2, 3),
      fc.array(fc.nat(2), { minLength: 6, maxLength: 6 }),
      fc.constantFrom('constant', 'edge'),
    )
    .map(([dims, amounts, mode]) => {
      const pads = dims.flatMap((_, i) => [i]).concat(dims.map((_, i) => i + 3)).map((i) => amounts[i]!); // prettier-ignore
      return only('Pad', { operands: [x(dims), ints(pads)], attributes: { mode } });
    }),
  Resize: fc.tuple(size, size, fc.boolean()).map(([n, c, bySize]) =>
    only('Resize', {
      operands: [
        x([n, c, 3, 4]),
        undefined,
        bySize ? undefined : w([4], { values: [1, 1, 2, 2] }),
        bySize ? ints([n, c, 6, 8]) : undefined,
      ],
    }),
  ),
  Upsample: fc
    .tuple(size, size)
    .map(([n, c]) =>
      only('Upsample', { opset: 9, operands: [x([n, c, 3, 4]), w([4], { values: [1, 1, 2, 2] })] }),
    ),
  Trilu: dimsOf(2, 4).map((dims) => only('Trilu', { operands: [x(dims)] })),
  ReverseSequence: dimsOf(3, 4).map((dims) =>
    only('ReverseSequence', {
      operands: [x(dims), w([dims[1]!], { dtype: 'int64', values: new Array<number>(dims[1]!).fill(1) })],
    }),
  ),
  DepthToSpace: fc
    .tuple(size, size, fc.constantFrom('DCR', 'CRD'))
    .map(([n, c, mode]) =>
      only('DepthToSpace', { operands: [x([n, 4 * c, 2, 3])], attributes: { blocksize: 2, mode } }),
    ),
  SpaceToDepth: fc
    .tuple(size, size)
    .map(([n, c]) => only('SpaceToDepth', { operands: [x([n, c, 4, 6])], attributes: { blocksize: 2 } })),
};

/** Random valid indices below a bound, shaped. */
const indices = (dims: readonly number[], bound: number) =>
  fc
    .array(fc.nat(bound - 1), { minLength: product(dims), maxLength: product(dims) })
    .map((values) => w(dims, { dtype: 'int64', values }));

const indexing: Record<string, Cases> = {
  Slice: fc
    .tuple(
      dimsOf(1, 3),
      fc.nat(2),
      fc.integer({ min: -6, max: 5 }),
      fc.integer({ min: -6, max: 9 }),
      opsets,
      fc.nat(5),
    )
    .map(([dims, at, start, end, opset, step]) => {
      const axis = Math.min(at, dims.length - 1);
      const bounds = { starts: [start], ends: [end === 9 ? 2 ** 53 - 1 : end], axes: [axis - dims.length] };
      const list = [ints(bounds.starts), ints(bounds.ends), ints(bounds.axes)];
      if (step === 0) list.push(ints([2]));
      // One of each pair.
      if (step === 1) {
        const pairs = [ints([start & 1]), ints([end === 9 ? 2 ** 53 - 1 : 6]), ints([axis]), ints([2])];
        return only('Slice', { opset, operands: [x(dims.with(axis, 6)), ...pairs] });
      }
      return opset === 11 && step > 0
        ? only('Slice', { opset: 9, operands: [x(dims)], attributes: bounds })
        : only('Slice', { opset, operands: [x(dims), ...list] });
    }),
  Gather: fc.tuple(dimsOf(1, 3), fc.nat(2), dimsOf(0, 2)).chain(([dims, at, shape]) => {
    const axis = Math.min(at, dims.length - 1);
    return indices(shape, dims[axis]!).map((picked) =>
      only('Gather', { operands: [x(dims), picked], attributes: { axis } }),
    );
  }),
  GatherElements: fc.tuple(dimsOf(2, 3), fc.nat(2), size).chain(([dims, at, count]) => {
    const axis = Math.min(at, dims.length - 1);
    return indices(dims.with(axis, count), dims[axis]!).map((picked) =>
      only('GatherElements', { operands: [x(dims), picked], attributes: { axis } }),
    );
  }),
  ...named('ScatterElements Scatter', (op) =>
    fc.tuple(dimsOf(2, 3), fc.nat(2)).chain(([dims, at]) => {
      const axis = Math.min(at, dims.length - 1);
      return indices(dims.with(axis, 1), dims[axis]!).map((picked) =>
        only(op, {
          opset: op === 'Scatter' ? 9 : 18,
          operands: [x(dims), picked, x(dims.with(axis, 1))],
          attributes: { axis },
        }),
      );
    }),
  ),
  GatherND: fc
    .tuple(dimsOf(2, 4), size)
    .chain(([dims, count]) =>
      indices([count, 1], dims[0]!).map((picked) => only('GatherND', { operands: [x(dims), picked] })),
    ),
  ScatterND: fc.tuple(dimsOf(2, 4), fc.boolean()).chain(([dims, isConstant]) =>
    fc.uniqueArray(fc.nat(dims[0]! - 1), { minLength: 1, maxLength: dims[0]! }).map((rows) =>
      only('ScatterND', {
        operands: [
          x(dims),
          w([rows.length, 1], { dtype: 'int64', values: rows }),
          (isConstant ? w : x)([rows.length, ...dims.slice(1)]),
        ],
      }),
    ),
  ),
  TopK: fc.tuple(dimsOf(2, 3), fc.nat(2)).map(([dims, at]) =>
    only('TopK', {
      operands: [x(dims), ints([1])],
      attributes: { axis: Math.min(at, dims.length - 1) },
      outputs: 2,
    }),
  ),
  OneHot: dimsOf(1, 3).map((dims) =>
    only('OneHot', {
      operands: [x(dims, { dtype: 'int64' }), w([], { dtype: 'int64', values: [5] }), w([2])],
    }),
  ),
  Compress: dimsOf(2, 3).map((dims) =>
    only('Compress', {
      operands: [x(dims), w([1], { dtype: 'bool', values: [1] })],
      attributes: { axis: dims.length - 1 },
    }),
  ),
  CumSum: dimsOf(2, 3).map((dims) =>
    only('CumSum', { operands: [x(dims), w([], { dtype: 'int64', values: [1] })] }),
  ),
  RoiAlign: fc.tuple(size, size).map(([c, r]) =>
    only('RoiAlign', {
      operands: [
        x([1, c, 6, 6]),
        w([r, 4], { values: Array.from({ length: r }, () => [0, 0, 3, 3]).flat() }),
        w([r], { dtype: 'int64', values: new Array<number>(r).fill(0) }),
      ],
    }),
  ),
  MaxRoiPool: fc.tuple(size, size).map(([c, r]) =>
    only('MaxRoiPool', {
      operands: [
        x([1, c, 6, 6]),
        w([r, 5], { values: Array.from({ length: r }, () => [0, 0, 0, 3, 3]).flat() }),
      ],
      attributes: { pooled_shape: [2, 2] },
    }),
  ),
  TensorScatter: fc
    .tuple(size, size, size)
    .map(([n, c, d]) => only('TensorScatter', { opset: 24, operands: [x([n, c, 5, d]), x([n, c, 2, d])] })),
  GridSample: fc
    .tuple(size, size)
    .map(([n, c]) => only('GridSample', { operands: [x([n, c, 4, 4]), x([n, 3, 3, 2])] })),
};

const recurrent: Record<string, Cases> = named('LSTM GRU RNN', (op) => {
  const gates = { LSTM: 4, GRU: 3, RNN: 1 }[op]!;
  return fc
    .record({
      seq: size,
      batch: fc.integer({ min: 1, max: 3 }),
      input: size,
      hidden: size,
      direction: fc.constantFrom('forward', 'reverse', 'bidirectional'),
      bias: fc.boolean(),
      state: fc.boolean(),
      peephole: fc.boolean(),
      linear: fc.nat(1),
    })
    .map(({ seq, batch, input, hidden, direction, bias, state, peephole, linear }) => {
      const d = direction === 'bidirectional' ? 2 : 1;
      const initial = state ? x([d, batch, hidden]) : undefined;
      const lstm = [initial, peephole ? w([d, 3 * hidden]) : undefined];
      return only(op, {
        opset: 14,
        operands: [
          x([seq, batch, input]),
          w([d, gates * hidden, input]),
          w([d, gates * hidden, hidden]),
          bias ? w([d, 2 * gates * hidden]) : undefined,
          undefined,
          initial,
          ...(op === 'LSTM' ? lstm : []),
        ],
        attributes: {
          hidden_size: hidden,
          direction,
          ...(op === 'GRU' && { linear_before_reset: linear }),
        },
        outputs: op === 'LSTM' ? 3 : 2,
        zeroed: [[2, 2]],
      });
    });
});

const quantization: Record<string, Cases> = {
  QuantizeLinear: fc.tuple(dimsOf(2, 4), fc.boolean()).map(([dims, perAxis]) =>
    only('QuantizeLinear', {
      operands: [
        x(dims),
        w(perAxis ? [dims[1]!] : [], { positive: true }),
        w(perAxis ? [dims[1]!] : [], { dtype: 'int8' }),
      ],
      ...(perAxis && { attributes: { axis: 1 } }),
    }),
  ),
  DynamicQuantizeLinear: dimsOf(1, 3).map((dims) =>
    only('DynamicQuantizeLinear', { operands: [x(dims)], outputs: 3 }),
  ),
  DequantizeLinear: fc.tuple(dimsOf(2, 4), fc.boolean()).map(([dims, perAxis]) =>
    only('DequantizeLinear', {
      operands: [x(dims, { dtype: 'int8' }), w(perAxis ? [dims[1]!] : [], { positive: true })],
      ...(perAxis && { attributes: { axis: 1 } }),
    }),
  ),
};

const count = (mask: Uint8Array): number => mask.reduce((sum, bit) => sum + bit, 0);
const constant: Record<string, Cases> = {
  ConstantOfShape: dimsOf(1, 4).map((dims) => only('ConstantOfShape', { operands: [ints(dims)] })),
  Shape: dimsOf(1, 4).map((dims) =>
    only('Shape', { operands: [x(dims)], reference: (_, masks) => masks.map(count) }),
  ),
  Size: dimsOf(1, 4).map((dims) =>
    only('Size', { operands: [x(dims)], reference: (_, masks) => [product(masks.map(count))] }),
  ),
  Range: size.map((n) =>
    only('Range', {
      operands: [0, n, 1].map((value) => w([], { dtype: 'int64', values: [value] })),
    }),
  ),
};

/** Generators by rule family and op. */
export const opCases: Readonly<Record<string, Readonly<Record<string, Cases>>>> = {
  elementwise,
  contraction,
  normalization,
  pooling,
  reduction,
  movement,
  indexing,
  recurrent,
  quantization,
  constant,
};

/** Ops with a rule that no generator covers yet, with the reason. */
export const uncovered: Readonly<Record<string, string>> = {};
