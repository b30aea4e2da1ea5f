import { beforeAll, describe, expect, it } from 'vitest';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import type { AttributeValue, Model, Node } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatsOf, floatTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { evaluate } from '../../src/evaluate/evaluate.js';
import { graph, model, node, randomTensor, withInput } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const ints = (...values: number[]): AttributeValue => ({ type: 'ints', value: values.map(BigInt) });
const int = (value: number): AttributeValue => ({ type: 'int', value: BigInt(value) });
const float = (value: number): AttributeValue => ({ type: 'float', value });

const random = (name: string, dims: readonly number[], scale?: number): Tensor =>
  randomTensor(name, dims, 0.3, scale);

/**
 * Eight channels of which the last four say nothing new: three are small multiples of the first ones, one is constant.
 * A layer that reads them can be made whole without them, exactly, if its bias can change.
 */
function redundantChannels(): { nodes: Node[]; tensors: Tensor[] } {
  const next = randomGenerator('w');
  const first = Array.from({ length: 4 }, () => Array.from({ length: 3 }, () => next() - 0.4));
  const bias = [0.1, 0.3, 0.2, 0.15];
  const w = [...first, ...first.slice(0, 3).map((row) => row.map((v) => 0.1 * v)), [0, 0, 0]];
  const b = [...bias, ...bias.slice(0, 3).map((v) => 0.1 * v), 2];
  return {
    nodes: [node('Conv', ['x', 'w', 'b'], ['c']), node('Relu', ['c'], ['r'])],
    tensors: [floatTensor('w', w.flat(), [8, 3, 1, 1]), floatTensor('b', b)],
  };
}

/** The same filters for the channels that repeat others. */
function twice(tensor: Tensor): Tensor {
  const values = floatsOf(tensor);
  return floatTensor(tensor.name, [...values, ...values], [8, ...tensor.dims.slice(1)]);
}

interface Consumer {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly tensors: readonly Tensor[];
}

const pooled = [
  node('AveragePool', ['r'], ['p'], { kernel_shape: ints(7, 7) }),
  node('Flatten', ['p'], ['f']),
];
const statistics = (count: number): Tensor[] => [
  random('gamma', [count]),
  random('beta', [count]),
  random('mean', [count]),
  floatTensor(
    'variance',
    Float32Array.from({ length: count }, (_, i) => 0.5 + i),
  ),
];

const consumers: readonly Consumer[] = [
  {
    name: 'a Conv with stride, pads and dilation',
    nodes: [node('Conv', ['r', 'v', 'd'], ['y'], { strides: ints(2, 1), pads: ints(0, 0, 0, 0), dilations: ints(2, 1) })], // prettier-ignore
    tensors: [random('v', [5, 8, 3, 2]), random('d', [5])],
  },
  {
    name: 'a Conv that has no bias yet',
    nodes: [node('Conv', ['r', 'v'], ['y'])],
    tensors: [random('v', [5, 8, 2, 2])],
  },
  {
    name: 'a Conv whose bias is the mean of a BatchNormalization',
    nodes: [
      node('Conv', ['r', 'v'], ['q']),
      node('BatchNormalization', ['q', 'gamma', 'beta', 'mean', 'variance'], ['y']),
    ],
    tensors: [random('v', [5, 8, 2, 2]), ...statistics(5)],
  },
  {
    name: 'a Conv behind a depthwise one',
    nodes: [
      node('Conv', ['r', 'u', 'd'], ['q'], { group: int(8), kernel_shape: ints(3, 3) }),
      node('Conv', ['q', 'v', 'e'], ['y']),
    ],
    tensors: [
      twice(random('u', [4, 1, 3, 3])),
      floatTensor('d', new Float32Array(8)),
      random('v', [5, 8, 1, 1]),
      random('e', [5]),
    ],
  },
  {
    name: 'a Gemm with alpha, beta and transB',
    nodes: [...pooled, node('Gemm', ['f', 'v', 'd'], ['y'], { transB: int(1), alpha: float(0.5), beta: float(2) })], // prettier-ignore
    tensors: [random('v', [5, 8]), random('d', [5])],
  },
  {
    name: 'a MatMul with an Add behind it',
    nodes: [...pooled, node('MatMul', ['f', 'v'], ['q']), node('Add', ['d', 'q'], ['y'])],
    tensors: [random('v', [8, 5]), random('d', [5])],
  },
];

describe('a layer whose removed inputs say nothing new', () => {
  it.each(consumers)('is made whole: $name', async ({ nodes, tensors }) => {
    const start = redundantChannels();
    const dense = typed(
      model(graph([...start.nodes, ...nodes], ['x'], ['y'], [...start.tensors, ...tensors])),
    );
    const options = {
      ratio: 0.5,
      only: ['w'],
      criterion: ({ group: { size } }: { readonly group: { readonly size: number } }) =>
        Array.from({ length: size }, (_, i) => size - i),
      runtime,
      verify: 'full' as const,
    };
    const plain = await prunePipeline(dense, options);
    const result = await prunePipeline(dense, {
      ...options,
      data: images(dense, 64, 'calibration'),
      reconstruct: { damping: 1e-9 },
    });
    const { model: pruned, report } = result;
    expect(report.verification?.passed).toBe(true);
    expect(result.planFile('').weightsChanged).toBe(true);
    const errors = await Promise.all([plain.model, pruned].map((candidate) => gap(candidate, dense)));
    expect(errors[0]).toBeGreaterThan(3e-2);
    expect(errors[1]).toBeLessThan(2e-3);
    const layer = report.reconstruction!.layers.at(-1);
    expect(layer!.before).toBeGreaterThan(1e-2);
    expect(layer!.after).toBeLessThan(1e-5);
  });
});

it('makes up in a later layer for what an earlier one lost, also through a residual sum', async () => {
  const next = (name: string, dims: readonly number[]): Tensor => random(name, dims, 0.6);
  const nodes = [
    node('Conv', ['x', 'w0', 'b0'], ['s']),
    node('Relu', ['s'], ['s0']),
    node('Conv', ['s0', 'w1', 'b1'], ['t1'], { pads: ints(1, 1, 1, 1) }),
    node('Relu', ['t1'], ['t2']),
    node('Conv', ['t2', 'w2', 'b2'], ['t3']),
    node('Add', ['t3', 's0'], ['s1']),
    node('Conv', ['s1', 'w3', 'b3'], ['t4']),
    node('Relu', ['t4'], ['t5']),
    node('Conv', ['t5', 'w4', 'b4'], ['t6']),
    node('Add', ['s1', 't6'], ['s2']),
    node('Conv', ['s2', 'w5', 'b5'], ['y']),
  ];
  const tensors = [
    next('w0', [12, 3, 1, 1]), next('b0', [12]), next('w1', [16, 12, 3, 3]), next('b1', [16]),
    next('w2', [12, 16, 1, 1]), next('b2', [12]), next('w3', [16, 12, 1, 1]), next('b3', [16]),
    next('w4', [12, 16, 1, 1]), next('b4', [12]), next('w5', [4, 12, 1, 1]), next('b5', [4]),
  ]; // prettier-ignore
  const dense = typed(model(graph(nodes, ['x'], ['y'], tensors)));
  const errors: number[] = [];
  for (const reconstruct of [false, { shortcuts: false }, { shortcuts: true }]) {
    const data = images(dense, 64, 'calibration');
    const result = await prunePipeline(dense, {
      ...{ ratio: 0.25, criterion: 'magnitude', runtime, verify: 'full', data, reconstruct },
    });
    errors.push(await gap(result.model, dense));
  }
  expect(errors[1]).toBeLessThan(0.5 * errors[0]!);
  expect(errors[2]).toBeLessThan(errors[1]!);
});

it('refuses to reconstruct without data', async () => {
  const { nodes, tensors } = redundantChannels();
  const dense = typed(model(graph([...nodes, node('Conv', ['r', 'v'], ['y'])], ['x'], ['y'], [...tensors, random('v', [5, 8, 1, 1])]))); // prettier-ignore
  await expect(prunePipeline(dense, { ratio: 0.5, runtime, reconstruct: true })).rejects.toMatchObject({
    code: 'invalid-option',
    message: 'reconstruction needs calibration data; give data, or leave it out',
  });
});

it('gives the same weights again', async () => {
  const { nodes, tensors } = redundantChannels();
  const dense = typed(model(graph([...nodes, node('Conv', ['r', 'v'], ['y'])], ['x'], ['y'], [...tensors, random('v', [5, 8, 1, 1])]))); // prettier-ignore
  const once = async (): Promise<readonly Uint8Array[]> => {
    const options = { ratio: 0.5, runtime, data: images(dense, 16, 'c'), reconstruct: { maxRows: 100 } };
    const { model: pruned } = await prunePipeline(dense, options);
    return pruned.graph.initializers.map(({ data }) => data.bytes());
  };
  expect(await once()).toEqual(await once());
});

function typed(made: Model): Model {
  return withInput(made, ['n', 3, 7, 7]);
}

function images(dense: Model, count: number, seed: string) {
  const next = randomGenerator(seed);
  const data = Float32Array.from({ length: count * 147 }, () => 2 * next() - 0.5);
  return dataFromArrays({ x: { data, dims: [count, 3, 7, 7] } }, modelInputs(dense), { batch: 16 });
}

/** Mean absolute difference of the outputs on fresh images, relative to the dense model's. */
async function gap(candidate: Model, dense: Model): Promise<number> {
  const result = await evaluate(candidate, { runtime, data: images(dense, 32, 'fresh'), reference: dense });
  return result.differences![0]!.relative!;
}
