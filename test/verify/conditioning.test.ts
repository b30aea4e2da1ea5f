import { expect, it } from 'vitest';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { floatTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/prune.js';
import { nodeRuntime } from '../../src/runtime/node.js';
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

it('says what is too ill-conditioned to compare, and compares the rest', async () => {
  const { report } = await prunePipeline(illConditioned, { runtime, ratio: 0.5, verify: 'full' });
  const { passed, compared, skipped } = report.verification!;
  expect(passed).toBe(true);
  expect(compared).toBeGreaterThanOrEqual(3);
  for (const { value: name } of skipped) expect(['rest', 'huge', 'y']).toContain(name);
});
