import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf, floatTensor, integerTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { observe } from '../../src/verify/observation.js';
import { failureText } from '../../src/verify/failure.js';
import { pruneAtRandom } from '../oracles/pruned.js';
import { model, node, value } from '../shapes/build-model.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

function weights(name: string, dims: readonly number[], scale = 1) {
  const random = randomGenerator(name);
  const count = dims.reduce((a, b) => a * b, 1);
  return floatTensor(name, Array.from({ length: count }, () => scale * normal(random)), dims); // prettier-ignore
}

const network = (bias: number): Model =>
  model({
    inputs: [value('x', ['n', 5])],
    outputs: [value('y', ['n', 3])],
    initializers: [weights('w', [5, 8]), weights('v', [8, 3]), floatTensor('b', [bias, bias, bias], [3])],
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      node('MatMul', ['h', 'v'], ['m']),
      node('Add', ['m', 'b'], ['s']),
      node('Sigmoid', ['s'], ['y']),
    ],
  });

it('a saturated sigmoid is proved with re-drawn weights', async () => {
  const { prove } = await pruneAtRandom(network(-60), runtime);
  const report = await prove();
  expect(report).toMatchObject({ passed: true, redrawn: ['y'], dead: [] });
  expect(report.outputs).toEqual([{ name: 'y', proof: 'compared', why: undefined }]);
});

it('data that are no numbers are named as such', async () => {
  const { prove } = await pruneAtRandom(network(0), runtime);
  const x = floatTensor('x', [1, 2, NaN, 4, 5], [1, 5]);
  await expect(prove({ feeds: [{ x }] })).rejects.toMatchObject({
    code: 'invalid-data',
    message: "the data for the proof holds NaN in input 'x'; mend the data, or prove without it",
  });
});

it('what a dense model gets wrong by itself is not blamed on the surgery', async () => {
  const { prove, pruned } = await pruneAtRandom(network(0), runtime);
  // Every other run computes NaN, whatever the model: the dense one doesn't agree with itself either.
  let runs = 0;
  const moody: Runtime = Object.assign(Object.create(runtime) as Runtime, {
    load: async (...given: Parameters<Runtime['load']>) => {
      const session = await runtime.load(...given);
      const run = session.run.bind(session) as (...feeds: unknown[]) => ReturnType<typeof session.run>;
      session.run = async (...feeds: unknown[]) => {
        const results = await run(...feeds);
        if (runs++ % 2 === 1)
          for (const { data } of Object.values(results)) if (data instanceof Float32Array) data.fill(NaN);
        return results;
      };
      return session;
    },
  });
  const { failure } = await prove({ runtime: moody, pruned });
  expect(failure).toMatchObject({ kind: 'dense' });
  expect(failureText(failure!)).toMatch(/^the original model doesn't agree with itself: .*; mend the model/);
});

it('a wrong weight of a dead tensor is refused, and so is a tensor that no run and no weights bring to life', async () => {
  const { prove, pruned } = await pruneAtRandom(network(0), runtime);
  const initializers = pruned.graph.initializers.map((tensor) =>
    tensor.name === 'v' ? floatTensor('v', floatsOf(tensor).toReversed(), tensor.dims) : tensor,
  );
  const wrong = { ...pruned, graph: { ...pruned.graph, initializers } };
  expect((await prove({ pruned: wrong, weights: 'sliced' })).failure?.kind).toBe('value');
  // Weights that were changed on purpose are not held against it.
  expect(await prove({ pruned: wrong, weights: 'changed' })).toMatchObject({
    passed: true,
    weights: 'changed',
  });
  const rewired = { ...wrong, graph: { ...wrong.graph, nodes: wrong.graph.nodes.map((n) => (n.opType === 'Sigmoid' ? { ...n, opType: 'Tanh' } : n)) } }; // prettier-ignore
  expect((await prove({ pruned: rewired, weights: 'changed' })).failure).toMatchObject({
    kind: 'value',
    value: 'y',
  });
});

describe('what both models go on with alike', () => {
  const random = model({
    inputs: [value('x', ['n', 5])],
    outputs: [value('y', ['n', 3]), value('noise', ['n', 3])],
    initializers: [weights('w', [5, 8]), weights('v', [8, 3]), weights('u', [3, 6]), integerTensor('k', [2])],
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      node('MatMul', ['h', 'v'], ['m']),
      node('RandomNormalLike', ['m'], ['noise']),
      node('Round', ['h'], ['r']),
      node('MatMul', ['r', 'v'], ['q']),
      node('Add', ['q', 'noise'], ['y']),
    ],
  });

  it('is what decisions are taken from, and what is drawn at random', async () => {
    const { shapes, model: dense } = await analyze(random, { runtime });
    const { pinned, given, values } = observe({
      ...{ dense, pruned: dense, unknown: new Map() },
      dtypeOf: (name) => shapes.dtypeOf(name),
      shapeOf: (name) => shapes.of(name),
      isTouched: (name) => name === 'h' || name === 'r',
    });
    expect([...pinned]).toEqual(['h']);
    expect([...given]).toEqual(['noise']);
    expect(values).toEqual(['h', 'm', 'r', 'q', 'y']);
  });

  it('so that all that is behind is compared, and the random node is the same', async () => {
    const { prove, pruned } = await pruneAtRandom(random, runtime);
    const report = await prove();
    expect(report.failure).toBeUndefined();
    expect(report.outputs).toEqual([
      { name: 'y', proof: 'compared', why: undefined },
      { name: 'noise', proof: 'inputs', why: 'it is drawn at random' },
    ]);
    const nodes = pruned.graph.nodes.map((n) => (n.opType === 'RandomNormalLike' ? { ...n, opType: 'RandomUniformLike' } : n)); // prettier-ignore
    const wrong = { ...pruned, graph: { ...pruned.graph, nodes } };
    expect((await prove({ pruned: wrong })).failure).toMatchObject({
      kind: 'nothing',
      value: 'noise',
      message: expect.stringContaining('its op is RandomUniformLike') as string,
    });
  });
});
