import { expect, it } from 'vitest';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf, floatTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { moveRounded } from '../../src/verify/conditioning.js';
import { openSession, runSession } from '../../src/verify/run.js';
import { graph, model, node, value } from '../shapes/build-model.js';

const runtime = await nodeRuntime();

function weight(name: string, rows: number, columns: number, scale: number) {
  const values = fillNormal(new Float32Array(rows * columns), randomGenerator(name));
  return floatTensor(name, values.map((x) => x * scale), [rows, columns]); // prettier-ignore
}

/** Saturated sigmoids are subtracted from almost 1, and the rest is inverted: the last digit decides. */
const illConditioned = model(
  graph({
    nodes: [
      node('MatMul', ['x', 'w1'], ['h']),
      node('Tanh', ['h'], ['t']),
      node('MatMul', ['t', 'w2'], ['logit']),
      node('Sigmoid', ['logit'], ['s']),
      node('Sub', ['almost', 's'], ['rest']),
      node('Reciprocal', ['rest'], ['huge']),
      node('MatMul', ['huge', 'w3'], ['y']),
    ],
    inputs: [value('x', [4, 64])],
    outputs: [value('y', [4, 8])],
    initializers: [
      weight('w1', 64, 96, 1),
      weight('w2', 96, 512, 2),
      weight('w3', 512, 8, 1),
      floatTensor('almost', Float32Array.of(1.0000002), []),
    ],
  }),
);

/** Largest relative change of each value when bounded functions move by a few roundings. */
async function changes(names: readonly string[]): Promise<number[]> {
  const x = weight('x', 4, 64, 1);
  const inputs = new Map([['x', x]]);
  const run = async (network: Model) => {
    const session = await openSession(network, names, runtime);
    const values = await runSession(session, inputs, runtime);
    await session.release();
    return names.map((name) => floatsOf(values.get(name)!));
  };
  const [still, moved] = [
    await run(illConditioned),
    await run(moveRounded(illConditioned, { isFloat32: () => true })),
  ];
  return still.map((values, k) => {
    const size = Math.max(...values.map(Math.abs));
    return Math.max(...values.map((v, i) => Math.abs(v - moved[k]![i]!))) / size;
  });
}

it('moves values by roundings, and what is ill-conditioned visibly', async () => {
  const [sigmoid, rest, huge] = await changes(['s', 'rest', 'huge']);
  expect(sigmoid).toBeGreaterThan(1e-7);
  expect(sigmoid).toBeLessThan(1e-5);
  expect(rest).toBeLessThan(1e-5);
  expect(huge).toBeGreaterThan(0.1);
});

it('still proves a model with such values', async () => {
  const { report } = await prunePipeline(illConditioned, { runtime, ratio: 0.5, verify: 'full' });
  expect(report.verification?.passed).toBe(true);
});

it('moves what statistics went into element by element', () => {
  const normal = model(
    graph({
      nodes: [node('LayerNormalization', ['x', 'g'], ['n']), node('Relu', ['n'], ['y'])],
      inputs: [value('x', [2, 3])],
      outputs: [value('y')],
      initializers: [floatTensor('g', [1, 1, 1], [3])],
    }),
  );
  const { nodes, initializers } = moveRounded(normal, {
    isFloat32: () => true,
    normalized: new Map([['n', 3]]),
  }).graph;
  expect(nodes.map(({ opType }) => opType)).toEqual(['LayerNormalization', 'Mul', 'Relu']);
  const factors = floatsOf(initializers.find(({ name }) => name === nodes[1]!.inputs[1])!);
  expect(new Set(factors).size).toBeGreaterThan(1);
  for (const factor of factors) expect(Math.abs(factor - 1)).toBeLessThan(1e-6);
});
