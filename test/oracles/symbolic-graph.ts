/**
 * Random graphs over sequences whose batches and lengths are symbolic, with the arithmetic of sizes that exporters write
 * around strided layers: what a plan changes in them must hold at every length, and no step ever writes one down.
 */
import fc from 'fast-check';
import type { Model, Node } from '../../src/onnx/model.js';
import { value } from '../shapes/build-model.js';
import { GraphBuilder, type Value } from './random-graph/builder.js';
import { Choices } from './random-graph/choices.js';

export interface SymbolicRecipe {
  readonly opset: number;
  /** Of the weights. */
  readonly seed: number;
  /** Of each input: channels and the pinned length. */
  readonly inputs: readonly (readonly [channels: number, length: number])[];
  readonly steps: readonly { readonly kind: string; readonly choices: readonly number[] }[];
  readonly ends: readonly number[];
  /** Which channels go. */
  readonly removal: number;
}

/** A value of dims [batch, channels, length]; the first and the last are symbolic. */
interface Sequence extends Value {
  readonly dims: readonly [batch: number, channels: number, length: number];
}

/** The domain of an op that onnxruntime doesn't know. */
export const unknownDomain = 'made.up';

class SequenceGraph {
  readonly g: GraphBuilder;
  readonly pool: Sequence[] = [];
  /** What is an output as it is: sizes, decisions, an unknown op. */
  readonly outputs: Value[] = [];

  constructor(opset: number, seed: number) {
    this.g = new GraphBuilder({ opset, batch: 1, symbolic: false, seed });
  }

  pick(c: Choices, accepts: (x: Sequence) => boolean = () => true): Sequence | undefined {
    const fitting = this.pool.filter(accepts);
    return fitting.length > 0
      ? fitting[fitting.length - 1 - c.below(Math.min(3, fitting.length))]
      : undefined;
  }

  op(
    type: string,
    inputs: readonly (Value | undefined)[],
    dims: Sequence['dims'],
    attributes = {},
  ): Sequence {
    return this.g.op(type, inputs, dims, attributes) as Sequence;
  }

  int(type: string, inputs: readonly (Value | undefined)[], dims: readonly number[], attributes = {}): Value {
    return this.g.op(type, inputs, dims, attributes, 'int64');
  }

  /** The size of an axis as [1], in one of the ways to ask for it. */
  size(x: Value, axis: number, c: Choices): Value {
    const form = c.below(3);
    if (form === 0 && this.g.opset >= 15) return this.int('Shape', [x], [1], { start: axis, end: axis + 1 });
    const shape = this.int('Shape', [x], [x.dims.length]);
    if (form === 1) return this.int('Slice', [shape, this.g.ints([axis]), this.g.ints([axis + 1])], [1]);
    return this.int('Gather', [shape, this.g.ints([axis])], [1], { axis: 0 });
  }

  vector(parts: readonly Value[]): Value {
    return this.int('Concat', parts, [parts.length], { axis: 0 });
  }

  arithmetic(op: 'Add' | 'Sub' | 'Mul' | 'Div', a: Value, b: Value | number): Value {
    return this.int(op, [a, typeof b === 'number' ? this.g.ints([b]) : b], [1]);
  }

  /** As it is in the file, or as it is computed from a value. */
  channels(x: Value, axis: number, count: number, c: Choices): Value {
    return c.flag() ? this.g.ints([count]) : this.size(x, axis, c);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.g.op('Transpose', [x], perm.map((axis) => x.dims[axis]!), { perm }); // prettier-ignore
  }
}

type Step = (s: SequenceGraph, c: Choices) => Sequence | undefined;

const strides = [1, 1, 2, 3, 4, 5, 8, 16, 31, 64, 100, 160];

/** A convolution of any stride, if enough is left of the length. */
function conv(s: SequenceGraph, x: Sequence, c: Choices, stride = 1, width = 2 + c.below(5)): Sequence {
  const [batch, channels, length] = x.dims;
  const kernel = stride === 1 ? 1 + 2 * c.below(2) : stride + c.below(3);
  const pad = stride === 1 ? (kernel - 1) / 2 : 0;
  const w = s.g.weight([width, channels, kernel], c, { scale: 1 / Math.sqrt(channels * kernel) });
  const out = Math.floor((length + 2 * pad - kernel) / stride) + 1;
  return s.op('Conv', [x, w], [batch, width, out], { strides: [stride], pads: [pad, pad] });
}

const steps: Readonly<Record<string, Step>> = {
  Conv: (s, c) => {
    const x = s.pick(c);
    return x && conv(s, x, c);
  },
  StridedConv: (s, c) => {
    const stride = c.of(strides);
    const x = s.pick(c, ({ dims }) => dims[2] >= 3 * stride + 3);
    return x && conv(s, x, c, stride);
  },
  Activation: (s, c) => {
    const x = s.pick(c);
    return x && s.op(c.of(['Relu', 'Tanh', 'Sigmoid', 'Abs']), [x], x.dims);
  },
  Residual: (s, c) => {
    const x = s.pick(c);
    const y = x && s.pool.find((other) => other !== x && other.dims.join() === x.dims.join());
    return x && s.op('Add', [x, y ?? conv(s, x, c, 1, x.dims[1])], x.dims);
  },
  /** Heads over channels, taken apart and put together by targets that are computed. */
  Heads: (s, c) => {
    const x = s.pick(c, ({ dims }) => dims[1] % 2 === 0 && dims[2] <= 200);
    if (!x) return undefined;
    const [batch, channels, length] = x.dims;
    const t = s.transpose(x, [0, 2, 1]);
    const half = channels / 2;
    const depth = c.flag() ? s.g.ints([half]) : s.arithmetic('Div', s.size(t, 2, c), 2);
    const apart = s.vector([s.size(t, 0, c), s.size(t, 1, c), s.g.ints([2]), depth]);
    const split = (): Value => {
      const w = s.g.weight([channels, channels], c, { scale: 0.4 });
      const projected = s.g.op('MatMul', [t, w], t.dims);
      return s.transpose(s.g.op('Reshape', [projected, apart], [batch, length, 2, half]), [0, 2, 1, 3]);
    };
    const [q, k, v] = [split(), split(), split()];
    const scores = s.g.op('MatMul', [q, s.transpose(k, [0, 1, 3, 2])], [batch, 2, length, length]);
    const mixed = s.g.op('MatMul', [s.g.op('Softmax', [scores], scores.dims, { axis: -1 }), v], v.dims);
    const together = s.vector([
      s.size(t, 0, c),
      c.flag() ? s.g.ints([-1]) : s.size(t, 1, c),
      s.channels(t, 2, channels, c),
    ]);
    const joined = s.g.op('Reshape', [s.transpose(mixed, [0, 2, 1, 3]), together], [batch, length, channels]);
    return s.transpose(joined, [0, 2, 1]) as Sequence;
  },
  /** Rows of all batches at once. */
  Rows: (s, c) => {
    const x = s.pick(c);
    if (!x) return undefined;
    const [batch, channels, length] = x.dims;
    const t = s.transpose(x, [0, 2, 1]);
    const rows = s.arithmetic('Mul', s.size(t, 0, c), s.size(t, 1, c));
    const flat = s.g.op(
      'Reshape',
      [t, s.vector([rows, s.channels(t, 2, channels, c)])],
      [batch * length, channels],
    );
    const width = 2 + c.below(5);
    const dense = s.g.op(
      'Gemm',
      [flat, s.g.weight([channels, width], c), s.g.weight([width], c)],
      [batch * length, width],
    );
    const back = s.vector([s.size(t, 0, c), s.size(t, 1, c), c.flag() ? s.g.ints([-1]) : s.g.ints([width])]);
    return s.transpose(s.g.op('Reshape', [dense, back], [batch, length, width]), [0, 2, 1]) as Sequence;
  },
  /** Swaps the two halves of a length, of which the second may be longer. */
  Halves: (s, c) => {
    const x = s.pick(c, ({ dims }) => dims[2] > 3);
    if (!x) return undefined;
    const [batch, channels, length] = x.dims;
    const half = s.arithmetic('Div', s.size(x, 2, c), 2);
    const middle = Math.floor(length / 2);
    const axis = s.g.ints([2]);
    const first = s.op('Slice', [x, s.g.ints([0]), half, axis], [batch, channels, middle]);
    const last = s.op('Slice', [x, half, s.g.ints([2 ** 53 - 1]), axis], [batch, channels, length - middle]);
    return s.op('Concat', [last, first], x.dims, { axis: 2 });
  },
  ExpandToShape: (s, c) => {
    const x = s.pick(c);
    if (!x) return undefined;
    const shape = s.int('Shape', [x], [3]);
    const w = s.g.weight([1, x.dims[1], 1], c);
    return s.op('Add', [x, s.g.op('Expand', [w, shape], x.dims)], x.dims);
  },
  Positions: (s, c) => {
    const x = s.pick(c);
    if (!x) return undefined;
    const length = x.dims[2];
    const end = s.int('Squeeze', [s.size(x, 2, c), s.g.opset >= 13 ? s.g.ints([0]) : undefined], []);
    const range = s.int('Range', [s.g.ints([0], []), end, s.g.ints([1], [])], [length]);
    const scaled = s.g.op('Mul', [s.g.op('Cast', [range], [length], { to: 1 }), s.g.scalar(0.01)], [length]);
    return s.op('Add', [x, s.g.op('Reshape', [scaled, s.g.ints([1, 1, -1])], [1, 1, length])], x.dims);
  },
  Filled: (s, c) => {
    const x = s.pick(c);
    if (!x) return undefined;
    const target = s.vector([s.size(x, 0, c), s.channels(x, 1, x.dims[1], c), s.size(x, 2, c)]);
    return s.op('Add', [x, s.g.op('ConstantOfShape', [target], x.dims)], x.dims);
  },
  /** Frames of a few steps each, what is left over cut off, and their mean. */
  Frames: (s, c) => {
    const frame = c.of([2, 3, 5, 7]);
    const x = s.pick(c, ({ dims }) => dims[2] >= 3 * frame);
    if (!x) return undefined;
    const [batch, channels, length] = x.dims;
    const count = Math.floor(length / frame);
    const frames = s.arithmetic('Div', s.size(x, 2, c), frame);
    const cut = s.op(
      'Slice',
      [x, s.g.ints([0]), s.arithmetic('Mul', frames, frame), s.g.ints([2])],
      [batch, channels, count * frame],
    );
    const target = s.vector([s.size(x, 0, c), s.channels(x, 1, channels, c), frames, s.g.ints([frame])]);
    const framed = s.g.op('Reshape', [cut, target], [batch, channels, count, frame]);
    const dims = [batch, channels, count] as const;
    return s.g.opset >= 18
      ? s.op('ReduceMax', [framed, s.g.ints([3])], dims, { keepdims: 0 })
      : s.op('ReduceMax', [framed], dims, { axes: [3], keepdims: 0 });
  },
  /** Brought to the length of another value. */
  ResizeTo: (s, c) => {
    const y = s.pick(c);
    const x = y && s.pool.find((other) => other.dims[2] !== y.dims[2] && other.dims[2] > 1);
    if (!x || !y || s.g.opset < 13) return undefined;
    const [batch, channels] = x.dims;
    const kept = s.int('Slice', [s.int('Shape', [x], [3]), s.g.ints([0]), s.g.ints([2])], [2]);
    const sizes = s.int('Concat', [kept, s.size(y, 2, c)], [3], { axis: 0 });
    return s.op('Resize', [x, undefined, undefined, sizes], [batch, channels, y.dims[2]], {
      mode: 'nearest',
    });
  },
  PadToMultiple: (s, c) => {
    const x = s.pick(c);
    if (!x || s.g.opset < 13) return undefined;
    const multiple = c.of([4, 8, 32]);
    const [batch, channels, length] = x.dims;
    const size = s.size(x, 2, c);
    const rounded = s.arithmetic(
      'Mul',
      s.arithmetic('Div', s.arithmetic('Add', size, multiple - 1), multiple),
      multiple,
    );
    const missing = s.arithmetic('Sub', rounded, size);
    const pads = s.int('Concat', [s.g.ints([0, 0, 0, 0, 0]), missing], [6], { axis: 0 });
    return s.op('Pad', [x, pads], [batch, channels, Math.ceil(length / multiple) * multiple]);
  },
  /** Quantised on the fly, as `quantize_dynamic` writes it. */
  Quantized: (s, c) => {
    const x = s.pick(c);
    if (!x) return undefined;
    const [, channels] = x.dims;
    const t = s.transpose(x, [0, 2, 1]);
    const [q, scale, zero] = s.g.multi('DynamicQuantizeLinear', [t], [t.dims, [], []], {}, 'uint8') as [
      Value,
      Value,
      Value,
    ];
    const width = 2 + c.below(5);
    const weights = Array.from({ length: channels * width }, () => s.g.below(120) - 60);
    const w = s.g.ints(weights, [channels, width], 'int8');
    const product = s.g.op('MatMulInteger', [q, w, zero], [...t.dims.slice(0, 2), width], {}, 'int32');
    const dense = s.g.op('Mul', [s.g.op('Cast', [product], product.dims, { to: 1 }), scale], product.dims);
    const scaled = s.g.op('Mul', [dense, s.g.scalar(0.02)], product.dims);
    return s.transpose(scaled, [0, 2, 1]) as Sequence;
  },
  /** A class by step: an integer output, and what it was taken from. */
  Classes: (s, c) => {
    const x = s.pick(c);
    if (!x) return undefined;
    const logits = conv(s, x, c, 1, 4);
    const classes = s.int('ArgMax', [logits], [logits.dims[0], logits.dims[2]], { axis: 1, keepdims: 0 });
    s.outputs.push(classes, logits);
    return undefined;
  },
  /** Whether each step is above a threshold: a bool output. */
  Flags: (s, c) => {
    const x = s.pick(c);
    if (!x) return undefined;
    const scores = conv(s, x, c, 1, 2);
    s.outputs.push(s.g.op('Greater', [scores, s.g.scalar(0.05)], scores.dims, {}, 'bool'), scores);
    return undefined;
  },
  /** Sizes as an output; that of channels would follow them. */
  Length: (s, c) => {
    const x = s.pick(c);
    if (x) s.outputs.push(s.vector([s.size(x, 0, c), s.size(x, 2, c)]));
    return undefined;
  },
  /** An op that onnxruntime doesn't know, at the end. */
  Unknown: (s, c) => {
    const x = s.pick(c);
    if (x) s.outputs.push(s.g.op(`${unknownDomain}:Twist`, [conv(s, x, c, 1, 3)], []));
    return undefined;
  },
};

const often = ['Conv', 'Conv', 'StridedConv', 'StridedConv', 'Activation', 'Residual'];
const choices = fc.array(fc.nat(5039), { minLength: 16, maxLength: 16 });

export const symbolicKinds = Object.keys(steps);

export const symbolicRecipes: fc.Arbitrary<SymbolicRecipe> = fc.record({
  opset: fc.constantFrom(17, 13, 14, 18, 20),
  seed: fc.nat(),
  inputs: fc.array(fc.tuple(fc.constantFrom(1, 2, 3, 4), fc.constantFrom(48, 60, 100, 640, 1600)), {
    minLength: 1,
    maxLength: 2,
  }),
  steps: fc.array(
    fc.record({ kind: fc.oneof(fc.constantFrom(...often), fc.constantFrom(...symbolicKinds)), choices }),
    { minLength: 3, maxLength: 9, size: 'max' },
  ),
  ends: choices,
  removal: fc.nat(),
});

export interface SymbolicGraph {
  readonly model: Model;
  /** The shapes that the graph was built with. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
}

export function buildSymbolic({ opset, seed, inputs, steps: drawn, ends }: SymbolicRecipe): SymbolicGraph {
  const s = new SequenceGraph(opset, seed);
  const end = new Choices(ends);
  inputs.forEach(([channels, length]) => {
    const x = s.g.input([1, channels, length]) as Sequence;
    s.pool.push(x, conv(s, x, end));
  });
  for (const { kind, choices } of drawn) {
    const made = s.g.nodes.length < 60 ? steps[kind]!(s, new Choices(choices)) : undefined;
    if (made) s.pool.push(made);
  }
  const last = s.pool.slice(-2).map((x) => conv(s, x, end, 1, 2));
  const model = s.g.build([...last, ...s.outputs]);
  const open = s.g.inputs.map(({ name }, i) => value(name, ['batch', inputs[i]![0], `length${i}`]));
  const imports = model.graph.nodes.some(({ domain }) => domain === unknownDomain)
    ? [{ domain: unknownDomain, version: 1 }]
    : [];
  // Nothing reads what unknown ops write: they stand at the end, where they can be left out.
  const isKnown = ({ domain }: Node): boolean => domain !== unknownDomain;
  const { nodes } = model.graph;
  const ordered = [...nodes.filter(isKnown), ...nodes.filter((node) => !isKnown(node))];
  return {
    model: {
      ...model,
      opsets: new Map([['', opset], ...imports.map(({ domain, version }) => [domain, version] as const)]),
      opsetImports: [{ domain: '', version: opset }, ...imports],
      graph: { ...model.graph, nodes: ordered, inputs: open },
    },
    shapes: Object.fromEntries(s.g.inputDims),
  };
}
