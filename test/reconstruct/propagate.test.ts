import { beforeAll, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf } from '../../src/onnx/values.js';
import { keptMasks } from '../../src/plan/plan.js';
import { randomGenerator } from '../../src/random/random.js';
import { reconstruct, type Reconstruction } from '../../src/reconstruct/reconstruct.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { graph, model, node, randomTensor, withInput } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

/** Convolutions one behind the other, every second one with a residual sum: each is a wave of its own. */
function deepModel(depth: number): Model {
  const nodes = [];
  const tensors = [];
  let value = 'x';
  for (let i = 0; i < depth; i++) {
    tensors.push(randomTensor(`w${i}`, [6, i === 0 ? 3 : 6, 1, 1], 0.5), randomTensor(`b${i}`, [6]));
    nodes.push(node('Conv', [value, `w${i}`, `b${i}`], [`c${i}`]), node('Relu', [`c${i}`], [`r${i}`]));
    value = `r${i}`;
    if (i % 3 !== 2) continue;
    nodes.push(node('Add', [value, `r${i - 2}`], [`s${i}`]));
    value = `s${i}`;
  }
  return withInput(model(graph(nodes, ['x'], [value], tensors)), ['n', 3, 4, 4]);
}

async function solved(dense: Model, heldBytes?: number): Promise<Reconstruction> {
  const analysis = await analyze(dense, { runtime });
  const next = randomGenerator('data');
  const data = Float32Array.from({ length: 40 * 48 }, () => next() - 0.3);
  const kept = new Map(
    analysis.grouping.groups.map((group) => [group, Int32Array.of(0, 2, 3, 5).subarray(0, group.size - 2)]),
  );
  return reconstruct({
    analysis: analysis.axes,
    masks: keptMasks({ kept }),
    model: analysis.model,
    shapes: analysis.shapes,
    runtime,
    data: dataFromArrays({ x: { data, dims: [40, 3, 4, 4] } }, modelInputs(dense), { batch: 8 }),
    heldBytes,
  });
}

it('solves the same whether activations are held or computed again', async () => {
  const dense = deepModel(9);
  const [held, again] = [await solved(dense), await solved(dense, 1)];
  expect(held.layers.length).toBe(8);
  expect(again.layers.map(({ node: name }) => name)).toEqual(held.layers.map(({ node: name }) => name));
  // Up to where so much would have to be computed again that fewer examples have to do.
  for (const [i, { rows, after }] of again.layers.slice(0, 5).entries()) {
    expect(rows).toBe(held.layers[i]!.rows);
    expect(after).toBeCloseTo(held.layers[i]!.after, 6);
  }
  expect(Math.min(...again.layers.map(({ rows }) => rows))).toBe(32 * 16);
  expect(Math.min(...held.layers.map(({ rows }) => rows))).toBe(40 * 16);
  const weight = (result: Reconstruction): Float32Array | Float64Array =>
    floatsOf(result.model.graph.initializers.find(({ name }) => name === 'w3')!);
  const [a, b] = [weight(held), weight(again)];
  a.forEach((value, i) => expect(b[i]!).toBeCloseTo(value, 5));
});
