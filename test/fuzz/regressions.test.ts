/** What random graphs found, as small graphs written by hand. */
import { expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { inferShapes } from '../../src/shapes/shapes.js';
import { pruneAtRandom } from '../oracles/pruned.js';
import { model, node, value } from '../shapes/build-model.js';

const runtime = await nodeRuntime();

const weight = (name: string, dims: readonly number[]) => {
  const count = dims.reduce((a, b) => a * b, 1);
  return floatTensor(name, Float32Array.from({ length: count }, (_, i) => Math.sin(1 + 7 * i)), dims); // prettier-ignore
};

/** A comparison of opset 12, whose rank onnxruntime doesn't tell, used as the slope of a PRelu. */
const comparison: Model = model(
  {
    inputs: [value('x', [2, 5])],
    outputs: [value('y')],
    initializers: [weight('a', [5, 6]), weight('b', [6]), weight('c', [6, 3])],
    nodes: [
      node('MatMul', ['x', 'a'], ['h']),
      node('GreaterOrEqual', ['h', 'b'], ['larger']),
      node('Cast', ['larger'], ['slope'], { to: 1 }),
      node('PRelu', ['h', 'slope'], ['p']),
      node('MatMul', ['p', 'c'], ['y']),
    ],
  },
  12,
);

it('the rank of a comparison of opset 12 is unknown, and no scalar', async () => {
  const shapes = await inferShapes(comparison, runtime);
  expect(shapes.of('larger')).not.toEqual([]);
});

it('an operand of unknown rank blocks what it meets (seed 0, graph 15)', async () => {
  const { prove } = await pruneAtRandom(comparison, runtime);
  expect((await prove()).failure).toBeUndefined();
});

it('statistics of a GroupNormalization leave removed positions out too (seed 207, graph 3)', async () => {
  const { prove, masks } = await pruneAtRandom(
    model(
      {
        inputs: [value('x', [1, 4, 3, 5])],
        outputs: [value('y')],
        initializers: [weight('a', [5, 6]), weight('s', [4]), weight('t', [4]), weight('b', [6, 3])],
        nodes: [
          node('MatMul', ['x', 'a'], ['h']),
          node('GroupNormalization', ['h', 's', 't'], ['n'], { num_groups: 2 }),
          node('MatMul', ['n', 'b'], ['y']),
        ],
      },
      21,
    ),
    runtime,
  );
  expect(masks.size).toBe(1);
  expect((await prove()).failure).toBeUndefined();
});

/** A channel shuffle whose first target is computed, on a value whose last axis can be pruned too. */
const shuffled = model(
  {
    inputs: [value('x', [2, 4, 5])],
    outputs: [value('y')],
    initializers: [
      weight('a', [5, 6]),
      weight('b', [6, 3]),
      integerTensor('zero', [0]),
      integerTensor('one', [1]),
      integerTensor('apart', [2, 2, 6]),
      integerTensor('together', [0, 4, 6]),
    ],
    nodes: [
      node('MatMul', ['x', 'a'], ['h']),
      node('Shape', ['h'], ['shape']),
      node('Slice', ['shape', 'zero', 'one'], ['batch']),
      node('Concat', ['batch', 'apart'], ['target'], { axis: 0 }),
      node('Reshape', ['h', 'target'], ['nested']),
      node('Transpose', ['nested'], ['turned'], { perm: [0, 2, 1, 3] }),
      node('Reshape', ['turned', 'together'], ['s']),
      node('MatMul', ['s', 'b'], ['y']),
    ],
  },
  17,
);

it.each([
  ['of a fixed batch', 2],
  ['of any batch', 'n'],
])('a shuffle %s keeps the sizes of other axes right (seed 12, graph 21)', async (_, batch) => {
  const graph = { ...shuffled.graph, inputs: [value('x', [batch, 4, 5])] };
  const { prove, masks } = await pruneAtRandom({ ...shuffled, graph }, runtime);
  expect(masks.size).toBeGreaterThan(0);
  expect((await prove()).failure).toBeUndefined();
});

it('no entry of the target of a shuffle is a channel (seed 6, graph 38)', async () => {
  const { grouping } = await pruneAtRandom(shuffled, runtime);
  expect(grouping.groups.map(({ name }) => name)).not.toContain('apart');
});

it('a standard op that this machine lacks something for is not called unknown', async () => {
  const normalizer = model({
    inputs: [value('x', [3], 'string')],
    outputs: [value('y', undefined, 'string')],
    nodes: [
      node(
        'StringNormalizer',
        ['x'],
        ['y'],
        { case_change_action: 'UPPER', locale: 'nowhere' },
        'normalizer',
      ),
    ],
  });
  await expect(analyze(normalizer, { runtime })).rejects.toThrow(
    /refuses node 'normalizer' \(StringNormalizer\): .*nowhere/,
  );
});

/** Attention whose keys and values are outputs of their own, read by a layer; onnxruntime tells no shape of them. */
const cached = (past: readonly string[]): Model => {
  const width = 6;
  const project = (name: string) => node('MatMul', ['x', name], [`${name}_heads`]);
  const attention = node(
    'com.microsoft:MultiHeadAttention',
    ['q_heads', 'k_heads', 'v_heads', '', '', '', ...past],
    ['h', 'keys', 'values'],
    { num_heads: 2 },
  );
  return model(
    {
      inputs: [value('x', [1, 4, 5]), ...past.map((name) => value(name, [1, 2, 4, 3]))],
      outputs: [value('y'), value('z')],
      initializers: ['q', 'k', 'v']
        .map((name) => weight(name, [5, width]))
        .concat(weight('o', [width, 3]), weight('p', [3, 2])),
      nodes: [
        ...['q', 'k', 'v'].map(project),
        attention,
        node('MatMul', ['h', 'o'], ['y']),
        node('MatMul', ['values', 'p'], ['z']),
      ],
    },
    17,
    ['com.microsoft'],
  );
};

it('an output of unknown rank that is read blocks its node', async () => {
  const { prove } = await pruneAtRandom(cached([]), runtime);
  expect((await prove()).failure).toBeUndefined();
});

it('behind a cache values stay as wide as keys', async () => {
  const { graph } = cached(['past_keys', 'past_values']);
  // Without the readers of what onnxruntime tells no shape of, heads and their dims may go.
  const nodes = graph.nodes.slice(0, -1).map((n) => ({ ...n, outputs: n.outputs.slice(0, 1) }));
  let widths = 0;
  const { prove, masks } = await pruneAtRandom(
    model({ ...graph, nodes, outputs: graph.outputs.slice(0, 1) }, 17, ['com.microsoft']),
    runtime,
    // Of two groups of head dims only one would go.
    { allowIo: ['past_*:1', 'past_*:3'], only: ({ size }) => size === 3 && widths++ === 0 },
  );
  expect(masks.size).toBeGreaterThan(0);
  expect((await prove()).failure).toBeUndefined();
});

/** A layer divided by a number that is computed from its shape, which isn't known as a whole: rows are picked. */
const dividedBy = (sizes: readonly ReturnType<typeof node>[]): Model =>
  model({
    inputs: [value('x', [4, 5])],
    outputs: [value('y')],
    initializers: [
      weight('a', [5, 6]),
      weight('b', [6, 3]),
      integerTensor('rows', [1, 0, 1], [3], 'bool'),
      integerTensor('one', [1], []),
    ],
    nodes: [
      node('Compress', ['x', 'rows'], ['some'], { axis: 0 }),
      node('MatMul', ['some', 'a'], ['h']),
      ...sizes,
      node('Cast', ['size'], ['number'], { to: 1 }),
      node('Div', ['h', 'number'], ['scaled']),
      node('MatMul', ['scaled', 'b'], ['y']),
    ],
  });

it('a count of elements along an axis of unknown size blocks (seed 71, graph 22)', async () => {
  const { masks } = await pruneAtRandom(dividedBy([node('Size', ['h'], ['size'])]), runtime);
  expect(masks.size).toBe(0);
});

it('a known size of a shape that is not known as a whole stays what it was', async () => {
  const sizes = [node('Shape', ['h'], ['shape']), node('Gather', ['shape', 'one'], ['size'], { axis: 0 })];
  const { masks, prove } = await pruneAtRandom(dividedBy(sizes), runtime);
  expect(masks.size).toBe(1);
  expect((await prove()).failure).toBeUndefined();
});

it('repeats of an axis whose size depends on data stay (seed 395, graph 11)', async () => {
  const { prove, pruned } = await pruneAtRandom(
    model({
      inputs: [value('x', [6, 5]), value('s', [6])],
      outputs: [value('y')],
      initializers: [weight('a', [5, 6]), weight('b', [12, 3]), floatTensor('o', Float32Array.of(0), []), integerTensor('r', [1, 2])], // prettier-ignore
      nodes: [
        node('Greater', ['s', 'o'], ['which']),
        node('Compress', ['x', 'which'], ['picked'], { axis: 0 }),
        node('MatMul', ['picked', 'a'], ['h']),
        node('Tile', ['h', 'r'], ['t']),
        node('MatMul', ['t', 'b'], ['y']),
      ],
    }),
    runtime,
  );
  expect(pruned.graph.initializers.find(({ name }) => name === 'a')!.dims).toEqual([5, 3]);
  expect((await prove()).failure).toBeUndefined();
});
