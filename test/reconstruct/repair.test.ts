import { beforeAll, describe, expect, it } from 'vitest';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import { encodeModel } from '../../src/onnx/codec.js';
import type { Model, Node } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatsOf, floatTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { graph, model, node, randomTensor, withInput } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const images = 24;
const pixels = 36;
const channels = 8;

const random = (name: string, dims: readonly number[]): Tensor => randomTensor(name, dims, 0.3);

const normalization = node('BatchNormalization', ['q', 'gamma', 'beta', 'mean', 'variance'], ['y']);
const variance = floatTensor('variance', [0.5, 1.5, 2.5, 3.5, 4.5]);
const consumers: readonly { name: string; nodes: Node[]; tensors: Tensor[] }[] = [
  { name: 'its own bias', nodes: [node('Conv', ['r', 'v', 'd'], ['y'])], tensors: [random('d', [5])] },
  { name: 'no bias yet', nodes: [node('Conv', ['r', 'v'], ['y'])], tensors: [] },
  {
    name: 'a BatchNormalization behind it',
    nodes: [node('Conv', ['r', 'v'], ['q']), normalization],
    tensors: [random('gamma', [5]), random('beta', [5]), random('mean', [5]), variance],
  },
];

function build(nodes: readonly Node[], tensors: readonly Tensor[]): Model {
  const start = [node('Conv', ['x', 'w', 'b'], ['c']), node('Relu', ['c'], ['r'])];
  const weights = [
    random('w', [channels, 3, 1, 1]),
    random('b', [channels]),
    random('v', [5, channels, 1, 1]),
  ];
  return withInput(model(graph([...start, ...nodes], ['x'], ['y'], [...weights, ...tensors])), [
    'n',
    3,
    6,
    6,
  ]);
}

function input(): Float32Array<ArrayBuffer> {
  const next = randomGenerator('images');
  return Float32Array.from({ length: images * 3 * pixels }, () => 2 * next() - 0.5);
}

/** Prunes half of the channels between the two layers. */
async function pruned(dense: Model, repair: 'statistics' | 'mean-to-bias' | undefined): Promise<Model> {
  const data = dataFromArrays({ x: { data: input(), dims: [images, 3, 6, 6] } }, modelInputs(dense), { batch: 7 }); // prettier-ignore
  const { model: result, report } = await prunePipeline(dense, {
    ratio: 0.5,
    only: ['w'],
    runtime,
    data,
    verify: 'full',
    reconstruct: repair !== undefined && { repair },
  });
  expect(report.verification?.passed).toBe(true);
  return result;
}

/** Mean and deviation of every channel of the last value, over all images. */
async function statisticsOf(candidate: Model): Promise<{ mean: number; deviation: number }[]> {
  const session = await runtime.load(encodeModel(candidate));
  const { y } = await session.run({ x: runtime.tensor('float32', input(), [images, 3, 6, 6]) });
  await session.release();
  const values = y!.data as Float32Array;
  return Array.from({ length: 5 }, (_, c) => {
    const own = values.filter((__, i) => Math.floor(i / pixels) % 5 === c);
    const mean = own.reduce((a, b) => a + b, 0) / own.length;
    return { mean, deviation: Math.sqrt(own.reduce((sum, v) => sum + (v - mean) ** 2, 0) / own.length) };
  });
}

const weightOf = ({ graph: { initializers } }: Model): Tensor =>
  initializers.find(({ dims }) => dims[0] === 5 && dims.length === 4)!;

describe.each(consumers)('a layer with $name', ({ name, nodes, tensors }) => {
  const dense = build(nodes, tensors);

  it('keeps the means of its outputs', async () => {
    const [wanted, plain, repaired] = [dense, await pruned(dense, undefined), await pruned(dense, 'mean-to-bias')]; // prettier-ignore
    const [expected, before, got] = [await statisticsOf(wanted), await statisticsOf(plain), await statisticsOf(repaired)]; // prettier-ignore
    expected.forEach(({ mean }, c) => expect(got[c]!.mean).toBeCloseTo(mean, 5));
    expect(Math.max(...expected.map(({ mean }, c) => Math.abs(mean - before[c]!.mean)))).toBeGreaterThan(
      0.01,
    );
    expect(floatsOf(weightOf(repaired))).toEqual(floatsOf(weightOf(plain)));
  });

  it('keeps means and deviations, or has them measured anew', async () => {
    const repaired = await pruned(dense, 'statistics');
    const got = await statisticsOf(repaired);
    if (name.startsWith('a BatchNormalization')) {
      const [gamma, beta] = tensors.map((tensor) => floatsOf(tensor));
      got.forEach(({ mean, deviation }, c) => {
        expect(mean).toBeCloseTo(beta![c]!, 4);
        expect(deviation).toBeCloseTo(Math.abs(gamma![c]!), 3);
      });
      return;
    }
    const expected = await statisticsOf(dense);
    expected.forEach(({ mean, deviation }, c) => {
      expect(got[c]!.mean).toBeCloseTo(mean, 4);
      expect(got[c]!.deviation).toBeCloseTo(deviation, 4);
    });
  });
});
