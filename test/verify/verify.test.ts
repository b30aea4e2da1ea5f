import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatsOf, floatTensor, integerTensor, type FloatType } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { pruneAtRandom } from '../oracles/pruned.js';
import { model, node, value } from '../shapes/build-model.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

function weights(name: string, dims: readonly number[], dtype: FloatType = 'float32'): Tensor {
  const random = randomGenerator(name);
  const count = dims.reduce((a, b) => a * b, 1);
  return floatTensor(name, Array.from({ length: count }, () => normal(random)), dims, dtype); // prettier-ignore
}

const trained = async (name: string): Promise<Model> =>
  decodeModel(await readFile(new URL(`../../models/trained/${name}.onnx`, import.meta.url)));

/** The model with one tensor changed. */
function withTensor(dense: Model, name: string, change: (values: Float32Array) => void): Model {
  const initializers = dense.graph.initializers.map((tensor) => {
    if (tensor.name !== name) return tensor;
    const values = Float32Array.from(floatsOf(tensor));
    change(values);
    return floatTensor(name, values, tensor.dims);
  });
  return { ...dense, graph: { ...dense.graph, initializers } };
}

describe('a trained model', () => {
  it.each(['resnet20_bn', 'mobilenet_se', 'vgg8bn', 'vit_tiny', 'lstm2'])(
    '%s is proved in full',
    async (name) => {
      const { prove } = await pruneAtRandom(await trained(name), runtime);
      const report = await prove();
      expect(report.failure).toBeUndefined();
      expect(report.passed).toBe(true);
      expect(report.compared).toBeGreaterThan(10);
      expect(report.maxError).toBeLessThan(1e-5);
      expect(report.runs.map(({ input }) => input![0])).toEqual([1, 2]);
    },
  );

  it('compares outputs and one tensor of every group at level outputs', async () => {
    const { prove, masks, pruned } = await pruneAtRandom(await trained('resnet20'), runtime);
    const { passed, compared } = await prove({ level: 'outputs' });
    expect(passed).toBe(true);
    expect(compared).toBeGreaterThanOrEqual(2 * masks.size);
    expect(compared).toBeLessThan(2 * pruned.graph.nodes.length);
  });
});

describe('a wrong model is refused', () => {
  const dense = (): Model =>
    model({
      inputs: [value('x', ['n', 5])],
      outputs: [value('y', ['n', 3])],
      initializers: [weights('w', [5, 8]), weights('c', [8]), weights('v', [8, 3])],
      nodes: [
        node('MatMul', ['x', 'w'], ['h'], {}, 'first'),
        node('Add', ['h', 'c'], ['s'], {}, 'shift'),
        node('Sigmoid', ['s'], ['a'], {}, 'gate'),
        node('MatMul', ['a', 'v'], ['y'], {}, 'last'),
      ],
    });

  it.each([
    ['w', 'h', 'first'],
    ['c', 's', 'shift'],
    ['v', 'y', 'last'],
  ])('when %s is changed: names the first tensor and its node', async (tensor, first, label) => {
    const { prove, pruned } = await pruneAtRandom(dense(), runtime);
    expect((await prove()).passed).toBe(true);
    const wrong = withTensor(pruned, tensor, (values) => (values[0]! += 0.01));
    expect(await prove({ pruned: wrong })).toMatchObject({
      passed: false,
      failure: { kind: 'value', value: first, node: label },
    });
  });

  it('when a channel is swapped for another', async () => {
    const { prove, pruned } = await pruneAtRandom(dense(), runtime);
    const wrong = withTensor(pruned, 'c', (values) => values.reverse());
    expect((await prove({ pruned: wrong })).failure).toMatchObject({ value: 's' });
  });

  it('when it computes NaN', async () => {
    const { prove, pruned } = await pruneAtRandom(dense(), runtime);
    const wrong = withTensor(pruned, 'v', (values) => values.fill(NaN));
    expect((await prove({ pruned: wrong })).failure).toMatchObject({
      value: 'y',
      message: expect.stringContaining('NaN') as string,
    });
  });

  it('when a shape is not as predicted, or onnxruntime does not load it', async () => {
    const { prove } = await pruneAtRandom(dense(), runtime);
    const { failure } = await prove({ pruned: dense(), level: 'shapes' });
    expect(failure).toMatchObject({ kind: 'shape', value: 'h', node: 'first' });
    const { graph } = dense();
    const broken = { ...dense(), graph: { ...graph, initializers: [weights('w', [4, 8]), ...graph.initializers.slice(1)] } }; // prettier-ignore
    expect((await prove({ pruned: broken })).failure).toMatchObject({ kind: 'load' });
  });
});

describe('statistics are taken over the kept channels', () => {
  interface Norm {
    readonly op: string;
    readonly opset?: number;
    readonly attributes?: Readonly<Record<string, number | readonly number[]>>;
    /** Dims of scale and bias; none: the op has no parameters. */
    readonly parameters?: readonly (readonly number[])[];
    readonly keepsChannels?: boolean;
    readonly dtype?: FloatType;
    readonly shape?: readonly number[];
  }
  const norms: readonly Norm[] = [
    { op: 'LayerNormalization', parameters: [[12], [12]] },
    { op: 'LayerNormalization', parameters: [[12]], dtype: 'float16' },
    { op: 'LayerNormalization', opset: 21, parameters: [[12], [12]], dtype: 'float64' },
    { op: 'RMSNormalization', opset: 23, parameters: [[12]] },
    { op: 'SimplifiedLayerNormalization', parameters: [[12]] },
    { op: 'GroupNormalization', opset: 18, attributes: { num_groups: 3 }, parameters: [[3], [3]], shape: [12, 1] },
    { op: 'GroupNormalization', opset: 21, attributes: { num_groups: 3 }, parameters: [[12], [12]], shape: [12, 1] },
    { op: 'ReduceMean', attributes: { axes: [-1] } },
    { op: 'ReduceMax', attributes: { axes: [-1] } },
    { op: 'ReduceMin', attributes: { axes: [-1] } },
  ]; // prettier-ignore

  const build = ({
    op,
    opset = 17,
    attributes = {},
    parameters = [],
    dtype = 'float32',
    shape,
  }: Norm): Model => {
    const names = parameters.map((_, i) => `p${i}`);
    const float = (name: string, dims: readonly (number | string)[]) => value(name, dims, dtype);
    return model(
      {
        inputs: [float('x', ['n', 5])],
        outputs: [float('y', ['n', 3])],
        initializers: [
          weights('w', [5, 12], dtype),
          weights('v', [12, 3], dtype),
          ...parameters.map((dims, i) => weights(names[i]!, dims, dtype)),
          integerTensor('up', [-1, ...(shape ?? [12])]),
          integerTensor('down', [-1, 12]),
        ],
        nodes: [
          node('MatMul', ['x', 'w'], ['h']),
          node('Reshape', ['h', 'up'], ['u']),
          node(op, ['u', ...names], ['z'], attributes),
          // Reductions leave one entry, which is compared with the channels themselves.
          node('Sub', ['u', 'z'], ['d']),
          node('Reshape', ['d', 'down'], ['f']),
          node('MatMul', ['f', 'v'], ['y']),
        ],
      },
      opset,
    );
  };

  it.each(norms)('$op $opset $dtype', async (norm) => {
    const { prove, masks, pruned } = await pruneAtRandom(build(norm), runtime);
    expect(masks.size).toBeGreaterThan(0);
    const report = await prove();
    expect(report.failure).toBeUndefined();
    // The plain model with zeroed weights would not agree: its statistics see the zeros.
    expect(report.maxError).toBeLessThan(norm.dtype === 'float16' ? 1e-2 : 1e-5);
    const wrong = { ...pruned, graph: { ...pruned.graph, nodes: pruned.graph.nodes.map((n) => (n.outputs[0] === 'd' ? { ...n, opType: 'Add' } : n)) } }; // prettier-ignore
    expect((await prove({ pruned: wrong })).failure).toMatchObject({ value: 'd' });
  });
});

it('reports tensors that are dead, and compares behind a decision that both models take alike', async () => {
  const dense = model({
    inputs: [value('x', ['n', 5])],
    outputs: [value('y', ['n', 3]), value('top', ['n', 1])],
    initializers: [
      weights('w', [5, 8]),
      weights('v', [8, 3]),
      floatTensor('zero', [0], []),
      integerTensor('k', [1]),
    ],
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      node('MatMul', ['h', 'v'], ['y']),
      node('Mul', ['h', 'zero'], ['dead']),
      node('MatMul', ['dead', 'v'], ['dead2']),
      node('Add', ['y', 'dead2'], ['alive']),
      node('TopK', ['alive', 'k'], ['top', 'at']),
    ],
  });
  const { prove } = await pruneAtRandom(dense, runtime);
  const report = await prove({ level: 'outputs' });
  expect(report.passed).toBe(true);
  expect(report.skipped).toEqual([]);
  expect(report.outputs.map(({ name, proof }) => [name, proof])).toEqual([
    ['y', 'compared'],
    ['top', 'compared'],
  ]);
  expect((await prove()).dead).toEqual(['dead', 'dead2']);
});

it('masks one side of a product of activations', async () => {
  const dense = model({
    inputs: [value('x', ['n', 6, 5])],
    outputs: [value('y', ['n', 6, 3])],
    initializers: [weights('wq', [5, 8]), weights('wk', [5, 8]), weights('wv', [5, 7]), weights('v', [7, 3])],
    nodes: [
      node('MatMul', ['x', 'wq'], ['q']),
      node('MatMul', ['x', 'wk'], ['k']),
      node('MatMul', ['x', 'wv'], ['u']),
      node('Sigmoid', ['k'], ['ks']),
      node('Transpose', ['ks'], ['kt'], { perm: [0, 2, 1] }),
      node('MatMul', ['q', 'kt'], ['scores']),
      node('Softmax', ['scores'], ['p']),
      node('MatMul', ['p', 'u'], ['o']),
      node('MatMul', ['o', 'v'], ['y']),
    ],
  });
  const { prove, masks } = await pruneAtRandom(dense, runtime);
  expect([...masks.values()].map(({ length }) => length).sort()).toEqual([7, 8]);
  expect((await prove()).failure).toBeUndefined();
});
