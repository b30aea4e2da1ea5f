import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { rotate } from '../../src/rotation/rotate.js';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import { evaluate } from '../../src/evaluate/evaluate.js';
import type { AttributeValue, Model, Node } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { graph, model, node, randomTensor as random, withInput } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const ints = (...values: number[]): AttributeValue => ({ type: 'ints', value: values.map(BigInt) });
const int = (value: number): AttributeValue => ({ type: 'int', value: BigInt(value) });

function build(nodes: readonly Node[], tensors: readonly Tensor[], dims: readonly number[]): Model {
  return withInput(model(graph(nodes, ['x'], ['y'], tensors)), ['n', ...dims]);
}

function data(dense: Model, dims: readonly number[], seed: string) {
  const next = randomGenerator(seed);
  const size = dims.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: 64 * size }, () => 2 * next() - 0.5);
  return dataFromArrays({ x: { data: values, dims: [64, ...dims] } }, modelInputs(dense), { batch: 16 });
}

interface Case {
  readonly name: string;
  readonly dims: readonly number[];
  readonly nodes: readonly Node[];
  readonly tensors: readonly Tensor[];
  /** Sizes of the groups that are given another basis. */
  readonly turned: readonly number[];
}

const image = [3, 5, 5];
const tokens = [7, 6];

const bottleneck = (...between: Node[]): Node[] => [
  node('Conv', ['x', 'w0', 'b0'], ['a']),
  ...between,
  node('Conv', ['f', 'w1'], ['c']),
  node('Relu', ['c'], ['d']),
  node('Conv', ['d', 'w2', 'b2'], ['e']),
  node('Add', ['e', 'f'], ['g']),
  node('Conv', ['g', 'w3'], ['y']),
];
const bottleneckTensors = [
  random('w0', [8, 3, 1, 1]), random('b0', [8]), random('w1', [12, 8, 3, 3]), random('w2', [8, 12, 3, 3]),
  random('b2', [8]), random('w3', [4, 8, 1, 1]),
]; // prettier-ignore
const norm = [random('gamma', [8]), random('beta', [8]), random('mean', [8]), floatTensor('variance', [1, 2, 3, 4, 5, 6, 7, 8])]; // prettier-ignore

/** One layer makes queries, keys and values of two heads of four dims. */
function attention(between: readonly Node[], q: string, k: string): Node[] {
  return [
    node('MatMul', ['x', 'qkv'], ['m']),
    node('Add', ['m', 'bias'], ['p']),
    node('Reshape', ['p', 'split'], ['s']),
    node('Transpose', ['s'], ['t'], { perm: ints(2, 0, 3, 1, 4) }),
    node('Split', ['t'], ['q3', 'k3', 'v3'], { axis: int(0) }),
    ...['q', 'k', 'v'].map((part) => node('Squeeze', [`${part}3`, 'zero'], [part])),
    ...between,
    node('Transpose', [k], ['kt'], { perm: ints(0, 1, 3, 2) }),
    node('MatMul', [q, 'kt'], ['l']),
    node('Softmax', ['l'], ['w'], { axis: int(-1) }),
    node('MatMul', ['w', 'v'], ['o']),
    node('Transpose', ['o'], ['u'], { perm: ints(0, 2, 1, 3) }),
    node('Reshape', ['u', 'join'], ['h']),
    node('MatMul', ['h', 'out'], ['y']),
  ];
}
const attentionTensors = [
  random('qkv', [6, 24]), random('bias', [24]), random('out', [8, 5]), integerTensor('split', [0, 7, 3, 2, 4]),
  integerTensor('join', [0, 7, 8]), integerTensor('zero', [0]),
]; // prettier-ignore

const cases: readonly Case[] = [
  {
    name: 'a linear bottleneck with a residual sum, read by kernels of several entries',
    dims: image,
    nodes: bottleneck(node('Identity', ['a'], ['f'])),
    tensors: bottleneckTensors,
    turned: [8],
  },
  {
    name: 'a bottleneck behind a BatchNormalization',
    dims: image,
    nodes: [
      node('Conv', ['x', 'w0'], ['a']),
      node('BatchNormalization', ['a', 'gamma', 'beta', 'mean', 'variance'], ['f']),
      ...bottleneck().slice(1),
    ],
    tensors: [...bottleneckTensors, ...norm],
    turned: [8],
  },
  {
    name: 'heads that one layer makes: queries with keys, and values',
    dims: tokens,
    nodes: attention([], 'q', 'k'),
    tensors: attentionTensors,
    turned: [4],
  },
  {
    name: 'not what passes an activation function',
    dims: image,
    nodes: bottleneck(node('Relu', ['a'], ['f'])),
    tensors: bottleneckTensors,
    turned: [],
  },
  {
    name: 'not what is scaled channel by channel',
    dims: image,
    nodes: bottleneck(node('Mul', ['a', 'scale'], ['f'])),
    tensors: [...bottleneckTensors, random('scale', [8, 1, 1])],
    turned: [],
  },
  {
    name: 'not heads whose queries are changed dim by dim, and their values neither: the dims are the same',
    dims: tokens,
    nodes: attention([node('Mul', ['q', 'rotary'], ['r'])], 'r', 'k'),
    tensors: [...attentionTensors, random('rotary', [7, 4])],
    turned: [],
  },
];

describe('another basis', () => {
  it.each(cases)('for $name', async ({ dims, nodes, tensors, turned }) => {
    const dense = build(nodes, tensors, dims);
    const analysis = await analyze(dense, { runtime });
    const { grouping, shapes, canonical } = analysis;
    const rebased = await rotate({ grouping, shapes, runtime, data: data(dense, dims, 'calibration') });
    expect([...(rebased?.losses.keys() ?? [])].map(({ size }) => size)).toEqual(turned);
    if (!rebased) return;
    const other = canonical.restore(rebased.model);
    const { differences } = await evaluate(other, {
      runtime,
      data: data(dense, dims, 'fresh'),
      reference: dense,
    });
    expect(differences![0]!.relative).toBeLessThan(1e-5);
    const changed = other.graph.initializers.filter(
      (tensor, i) => !sameBytes(tensor, dense.graph.initializers[i]!),
    );
    expect(changed.length).toBeGreaterThan(1);
  });
});

it('prunes a bottleneck to the rank of what it carries without any loss, and repeats that by its plan', async () => {
  // Eight channels, but all are combinations of three.
  const [left, right] = [random('left', [8, 3]), random('right', [3, 3])];
  const product = (a: Tensor, b: Tensor): number[] => {
    const [x, y] = [a, b].map(({ data: bytes }) => new Float32Array(bytes.bytes().slice().buffer)) as [Float32Array, Float32Array]; // prettier-ignore
    return Array.from({ length: 24 }, (_, i) =>
      [0, 1, 2].reduce((sum, k) => sum + x[Math.floor(i / 3) * 3 + k]! * y[k * 3 + (i % 3)]!, 0),
    );
  };
  const nodes = [
    node('Conv', ['x', 'w'], ['a']),
    node('Conv', ['a', 'v'], ['b']),
    node('Relu', ['b'], ['y']),
  ];
  const dense = build(
    nodes,
    [floatTensor('w', product(left, right), [8, 3, 1, 1]), random('v', [6, 8, 3, 3])],
    image,
  );
  const result = await prunePipeline(dense, {
    ...{ ratio: 0.625, runtime, data: data(dense, image, 'calibration'), reconstruct: true, verify: 'full' },
  });
  const { report } = result;
  expect(report.groups.map(({ kept }) => kept)).toEqual([3]);
  expect(report.rotated).toEqual(['w']);
  expect(report.verification?.passed).toBe(true);
  const gap = async (candidate: Model): Promise<number> =>
    (await evaluate(candidate, { runtime, data: data(dense, image, 'fresh'), reference: dense }))
      .differences![0]!.relative!;
  expect(await gap(result.model)).toBeLessThan(2e-3);

  const plan = result.planFile('');
  expect(plan.bases).toEqual([report.groups[0]!.id]);
  const options = { plan, runtime, data: data(dense, image, 'calibration'), reconstruct: true } as const;
  const again = await prunePipeline(dense, options);
  expect(again.model.graph.initializers.map(({ data: bytes }) => bytes.bytes())).toEqual(
    result.model.graph.initializers.map(({ data: bytes }) => bytes.bytes()),
  );
  await expect(prunePipeline(dense, { plan, runtime })).rejects.toMatchObject({ code: 'invalid-option' });

  const plain = await prunePipeline(dense, {
    ...{ ratio: 0.625, runtime, data: data(dense, image, 'calibration'), reconstruct: true, rotation: false },
    verify: 'full',
  });
  expect(plain.report.rotated).toEqual([]);
});

function sameBytes(a: Tensor, b: Tensor): boolean {
  return Buffer.compare(a.data.bytes(), b.data.bytes()) === 0;
}
