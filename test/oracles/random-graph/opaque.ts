/** Ops whose rules block: what is in front of them stays, and everything else must go as if they weren't there. */
import { graph, node, value } from '../../shapes/build-model.js';
import { stepsFor, type Attributes, type GraphBuilder, type Steps, type Value } from './builder.js';
import type { Choices } from './choices.js';
import { operand, truth } from './elementwise.js';
import { layer, linear } from './layers.js';

/** What such an op reads: mostly behind a layer of its own, so that what is in front of it may still go. */
function source(
  g: GraphBuilder,
  c: Choices,
  rank?: number,
  accepts: (x: Value) => boolean = () => true,
): Value | undefined {
  const x = rank ? g.ofRank(c, rank, accepts) : g.pick(c, ({ dims }) => dims.length > 1);
  return x && c.below(4) > 0 ? layer(g, x, c) : x;
}

/** Adds what has one element, or what broadcasts, as float. */
function addTo(g: GraphBuilder, x: Value, y: Value): void {
  g.step('Add', [x, y.dtype === 'float32' ? y : g.op('Cast', [y], y.dims, { to: 1 })], x.dims);
}

/** How many columns a value has whose number of columns depends on data. */
const columns = (g: GraphBuilder, y: Value, axis: number): Value => {
  const shape = g.op('Shape', [y], [y.dims.length], {}, 'int64');
  return g.op('Gather', [shape, g.ints([axis], [])], [], { axis: 0 }, 'int64');
};

const probabilities = (g: GraphBuilder, x: Value): Value => g.op('Sigmoid', [x], x.dims);
const classes = (g: GraphBuilder, x: Value): Value =>
  g.op('ArgMax', [x], [x.dims[0]!], { axis: 1, keepdims: 0 }, 'int64');

/** Drawn with a seed, so that both models draw the same; onnxruntime has no kernels of opset 22 and newer. */
const seeded = (c: Choices): { seed: number } => ({ seed: 0.5 + c.below(9) });
const drawn: Steps = {
  ...stepsFor(
    'RandomNormal RandomUniform',
    (op) => (g, c) => {
      const x = source(g, c);
      if (!x) return;
      const width = x.dims.at(-1)!;
      addTo(g, x, g.op(op, [], [width], { shape: [width], ...seeded(c) }));
    },
    0,
    21,
  ),
  ...stepsFor(
    'RandomNormalLike RandomUniformLike',
    (op) => (g, c) => {
      const x = source(g, c);
      if (x) addTo(g, x, g.op(op, [x], x.dims, seeded(c)));
    },
    0,
    21,
  ),
  Bernoulli: {
    since: 15,
    until: 21,
    step: (g, c) => {
      const x = source(g, c);
      if (x) addTo(g, x, g.op('Bernoulli', [probabilities(g, x)], x.dims, seeded(c)));
    },
  },
  Multinomial: {
    until: 21,
    step: (g, c) => {
      const x = source(g, c, 2);
      if (!x) return;
      addTo(g, x, g.op('Multinomial', [x], [x.dims[0]!, 1], { sample_size: 1, ...seeded(c) }, 'int32'));
    },
  },
};

const counted: Steps = {
  NonZero: (g, c) => {
    const x = source(g, c);
    if (!x) return;
    const found = g.op('NonZero', [g.op('Relu', [x], x.dims)], [x.dims.length, NaN], {}, 'int64');
    addTo(g, x, columns(g, found, 1));
  },
  Unique: (g, c) => {
    const x = source(g, c);
    if (!x) return;
    const values = g.op('Unique', [x], [NaN], { sorted: c.below(2) });
    addTo(g, x, columns(g, values, 0));
  },
  NonMaxSuppression: (g, c) => {
    const x = source(g, c, 3);
    if (!x) return;
    const [n, length] = x.dims as [number, number];
    const scores = linear(g, x, c, 2);
    const turned = g.op('Transpose', [scores], [n, 2, length], { perm: [0, 2, 1] });
    const limits = [g.ints([2]), g.floats([0.5]), g.floats([0])];
    const chosen = g.op(
      'NonMaxSuppression',
      [linear(g, x, c, 4), turned, ...limits],
      [NaN, 3],
      { center_point_box: 1 },
      'int64',
    );
    addTo(g, x, columns(g, chosen, 0));
  },
};

/** Windows, tables and grids whose values follow from sizes. */
const positional: Steps = {
  EyeLike: (g, c) => {
    const x = source(g, c, 2);
    if (x) addTo(g, x, g.op('EyeLike', [x], x.dims));
  },
  AffineGrid: {
    since: 20,
    step: (g, c) => {
      if (g.settings.symbolic) return;
      const x = source(g, c, 4);
      if (!x) return;
      const [n, width] = x.dims as [number, number];
      const pooled = g.op('ReduceMean', [x, g.ints([2, 3])], [n, width], { keepdims: 0 });
      const theta = g.reshape(linear(g, pooled, c, 6), [n, 2, 3], c);
      const grid = g.op('AffineGrid', [theta, g.ints([n, width, 2, 2])], [n, 2, 2, 2]);
      g.step('GridSample', [x, grid], [n, width, 2, 2], { mode: 'linear' });
    },
  },
  MaxUnpool: (g, c) => {
    const x = source(g, c, 4, ({ dims }) => dims[2]! > 1 && dims[3]! > 1);
    if (!x) return;
    const [n, width, h, w] = x.dims as [number, number, number, number];
    const window = { kernel_shape: [2, 2], strides: [2, 2] };
    const halved = [n, width, h >> 1, w >> 1];
    const [pooled, places] = g.multi('MaxPool', [x], [halved, halved], window) as [Value, Value];
    const size = g.op('Shape', [x], [4], {}, 'int64');
    g.step('MaxUnpool', [pooled, places, size], x.dims, window);
  },
  ...stepsFor(
    'BlackmanWindow HammingWindow HannWindow',
    (op) => (g, c) => {
      const x = source(g, c);
      if (!x) return;
      const size = x.dims.at(-1)!;
      const length = c.flag() ? g.ints([size], []) : columns(g, x, x.dims.length - 1);
      g.step('Mul', [x, g.op(op, [length], [size])], x.dims);
    },
    17,
  ),
  MelWeightMatrix: {
    since: 17,
    step: (g, c) => {
      const x = source(g, c);
      if (!x) return;
      const bins = linear(g, x, c, 5);
      const sizes = [g.ints([3], []), g.ints([8], []), g.ints([8000], [])];
      const table = g.op('MelWeightMatrix', [...sizes, g.scalar(0), g.scalar(4000)], [5, 3]);
      g.step('MatMul', [bins, table], [...x.dims.slice(0, -1), 3]);
    },
  },
};

const losses: Steps = stepsFor(
  'NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss',
  (op) => (g, c) => {
    const x = source(g, c, 2);
    if (!x) return;
    const reduction = c.of(['mean', 'sum', 'none']);
    const scores = op.startsWith('Soft') ? x : g.op('LogSoftmax', [x], x.dims, { axis: 1 });
    const dims = reduction === 'none' ? [x.dims[0]!] : [];
    const loss = g.op(op, [scores, classes(g, x)], dims, { reduction });
    const y = reduction === 'none' ? g.reshape(loss, [x.dims[0]!, 1], c) : loss;
    addTo(g, x, y);
  },
  13,
);

const first = (g: GraphBuilder, sequence: Value, x: Value, at = 0): Value =>
  g.step('SequenceAt', [sequence, g.ints([at], [])], x.dims);
const pair = (g: GraphBuilder, x: Value, c: Choices): [Value, Value] => {
  const y = operand(g, x, c);
  return [x, g.op('SequenceConstruct', [x, y], [])];
};

const sequences: Steps = {
  ...stepsFor('SequenceConstruct SequenceAt', () => (g, c) => {
    const x = source(g, c);
    if (x) first(g, pair(g, x, c)[1], x);
  }),
  ...stepsFor('SequenceEmpty SequenceInsert', () => (g, c) => {
    const x = source(g, c);
    if (!x) return;
    const one = g.op('SequenceInsert', [g.op('SequenceEmpty', [], []), x], []);
    const two = g.op('SequenceInsert', [one, operand(g, x, c), g.ints([1], [])], []);
    first(g, two, x);
  }),
  SequenceErase: (g, c) => {
    const x = source(g, c);
    if (x) first(g, g.op('SequenceErase', [pair(g, x, c)[1], g.ints([1], [])], []), x);
  },
  SequenceLength: (g, c) => {
    const x = source(g, c);
    if (x) addTo(g, x, g.op('SequenceLength', [pair(g, x, c)[1]], [], {}, 'int64'));
  },
  SequenceMap: {
    since: 17,
    step: (g, c) => {
      const x = source(g, c);
      if (!x) return;
      const body = graph({
        nodes: [node('Tanh', ['element'], ['mapped'])],
        inputs: [value('element')],
        outputs: [value('mapped')],
      });
      first(g, g.op('SequenceMap', [pair(g, x, c)[1]], [], { body }), x);
    },
  },
  ...stepsFor('SplitToSequence ConcatFromSequence', () => (g, c) => {
    const x = source(g, c);
    if (!x) return;
    const axis = 1 + c.below(x.dims.length - 1);
    const pieces = g.op('SplitToSequence', [x, g.ints([1], [])], [], { axis });
    // How many pieces there are is no matter of shape inference.
    const joined = g.op('ConcatFromSequence', [pieces], x.dims, { axis });
    g.step('Mul', [joined, g.scalar(0.5)], x.dims);
  }),
};

const optionals: Steps = {
  ...stepsFor(
    'Optional OptionalGetElement',
    () => (g, c) => {
      const x = source(g, c);
      if (x) g.step('OptionalGetElement', [g.op('Optional', [x], [])], x.dims);
    },
    15,
  ),
  OptionalHasElement: {
    since: 15,
    step: (g, c) => {
      const x = source(g, c);
      if (x) addTo(g, x, g.op('OptionalHasElement', [g.op('Optional', [x], [])], [], {}, 'bool'));
    },
  },
};

/** Zeros and ones as text. */
function digits(g: GraphBuilder, x: Value, c: Choices): Value {
  const bits = g.op('Cast', [truth(g, x, c)], x.dims, { to: 6 }, 'int32');
  return g.op('Cast', [bits], x.dims, { to: 8 }, 'string');
}

const text: Steps = {
  StringConcat: {
    since: 20,
    step: (g, c) => {
      const x = source(g, c);
      if (x) addTo(g, x, g.op('StringConcat', [digits(g, x, c), digits(g, x, c)], x.dims, {}, 'string'));
    },
  },
  RegexFullMatch: {
    since: 20,
    step: (g, c) => {
      const x = source(g, c);
      if (!x) return;
      addTo(g, x, g.op('RegexFullMatch', [digits(g, x, c)], x.dims, { pattern: '1+' }, 'bool'));
    },
  },
  StringSplit: {
    since: 20,
    step: (g, c) => {
      const x = source(g, c);
      if (!x) return;
      const outputs = [[...x.dims, NaN], x.dims];
      const how: Attributes = { delimiter: '1' };
      addTo(g, x, g.multi('StringSplit', [digits(g, x, c)], outputs, how, 'int64')[1]!);
    },
  },
  /** It takes one row. */
  StringNormalizer: (g, c) => {
    const x = source(g, c, 2);
    if (!x) return;
    const row = g.op('Gather', [digits(g, x, c), g.ints([0], [])], x.dims.slice(1), { axis: 0 }, 'string');
    const how = { case_change_action: 'UPPER', locale: 'C.UTF-8' };
    // What comes out is text, of as many words as it keeps.
    addTo(g, x, columns(g, g.op('StringNormalizer', [row], row.dims, how, 'string'), 0));
  },
  TfIdfVectorizer: (g, c) => {
    const x = source(g, c, 2);
    if (!x) return;
    const bits = g.op('Cast', [truth(g, x, c)], x.dims, { to: 7 }, 'int64');
    const counts = g.op('TfIdfVectorizer', [bits], [x.dims[0]!, 2], {
      mode: 'TF',
      min_gram_length: 1,
      max_gram_length: 1,
      max_skip_count: 0,
      ngram_counts: [0],
      ngram_indexes: [0, 1],
      pool_int64s: [0, 1],
    });
    addTo(g, x, linear(g, counts, c, 1));
  },
};

export const opaque: Steps = {
  ...drawn,
  ...counted,
  ...positional,
  ...losses,
  ...sequences,
  ...optionals,
  ...text,
};
