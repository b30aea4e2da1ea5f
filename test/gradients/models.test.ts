import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Tensor as RuntimeTensor } from 'onnxruntime-common';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { gradients, loadModel, openData } from '../../src/api.js';
import type { Batch } from '../../src/data/batch.js';
import { resolveLoss } from '../../src/gradients/losses.js';
import { GradientRunner } from '../../src/gradients/session.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { tensorInfo } from '../../src/onnx/graph-model.js';
import type { Model } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatsOf } from '../../src/onnx/values.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { node } from '../onnx/build.js';

const models = join(import.meta.dirname, '..', '..', 'models');
const names = readdirSync(join(models, 'trained')).filter((name) => name.endsWith('.onnx'));
const path = join(models, 'data', 'train2048-images-idx3-ubyte.gz');

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

async function setUp(name: string): Promise<{ model: Model; batch: Batch; weights: Tensor[] }> {
  const model = await loadModel(join(models, 'trained', name));
  const data = await openData({ path, mean: [0.286], std: [0.353], limit: 2, batch: 2 }, model);
  const weights = model.graph.initializers.filter(({ dtype }) => dtype === 'float32');
  for await (const batch of data) return { model, batch, weights };
  throw new Error('no data');
}

/** Mean cross-entropy with other weights, by nothing of ours: onnxruntime's forward pass and doubles after it. */
async function openLoss(model: Model, batch: Batch, weights: readonly Tensor[]) {
  const { graph } = model;
  const names = new Set(weights.map(({ name }) => name));
  const fed = weights.map(({ name, dims }) => tensorInfo(name, 'float32', dims));
  const session = await runtime.load(
    encodeModel({
      ...model,
      graph: {
        ...graph,
        inputs: [...graph.inputs, ...fed],
        initializers: graph.initializers.filter(({ name }) => !names.has(name)),
      },
    }),
  );
  const inputs = Object.entries(batch.inputs).map(([name, { dtype, data, dims }]) => [name, runtime.tensor(dtype, data, dims)]); // prettier-ignore
  return {
    at: async (values: readonly Float32Array[]): Promise<number> => {
      const own = weights.map(({ name, dims }, i) => [name, runtime.tensor('float32', values[i]!, dims)]);
      const found = await session.run(
        Object.fromEntries([...inputs, ...own]) as Record<string, RuntimeTensor>,
      );
      const { data, dims } = found[graph.outputs[0]!.name]!;
      const classes = dims[1]!;
      const logits = Float64Array.from(data as Float32Array);
      let sum = 0;
      for (let example = 0; example < batch.valid; example++) {
        const row = logits.subarray(example * classes, (example + 1) * classes);
        const largest = Math.max(...row);
        const total = row.reduce((all, v) => all + Math.exp(v - largest), 0);
        sum += Math.log(total) + largest - row[Number(batch.labels![example])]!;
      }
      return sum / batch.valid;
    },
    release: () => session.release(),
  };
}

/**
 * Central differences of the loss along random directions of all weights at once. Directions are as large as the
 * weights; a step that crosses kinks of ReLU is off, one that is too small drowns in single precision, so of a sweep
 * the best counts.
 */
describe('whole-model gradients agree with directional derivatives', () => {
  it.each(names)('%s', { timeout: 120_000 }, async (name) => {
    const { model, batch, weights } = await setUp(name);
    const wrt = weights.map((tensor) => tensor.name);
    const runner = new GradientRunner({ model, runtime, loss: resolveLoss('cross-entropy'), wrt });
    const loss = await openLoss(model, batch, weights);
    try {
      const { loss: own, gradients: found } = await runner.run(batch);
      const start = weights.map((tensor) => Float32Array.from(floatsOf(tensor)));
      expect(Math.abs(own - (await loss.at(start)))).toBeLessThan(1e-4 * Math.max(1, own));
      expect(found.size).toBe(weights.length);
      for (const values of found.values()) expect(values.every(Number.isFinite)).toBe(true);
      let worst = 0;
      for (let direction = 0; direction < 20; direction++) {
        const random = randomGenerator(`${name}:${direction}`);
        const moves = weights.map((tensor, k) => {
          const size = norm(start[k]!);
          // Along the gradient too, so that the derivative is no accidental near-zero.
          const gradient = found.get(tensor.name)!;
          const steepest = norm(gradient) || 1;
          const noise = fillNormal(new Float32Array(gradient.length), random);
          return noise.map((v, i) => size * (0.7 * v + (0.3 * gradient[i]!) / steepest));
        });
        const analytic = weights.reduce((sum, { name: weight }, k) => {
          const gradient = found.get(weight)!;
          return sum + moves[k]!.reduce((total, v, i) => total + v * gradient[i]!, 0);
        }, 0);
        const lossAt = (step: number): Promise<number> =>
          loss.at(start.map((values, k) => values.map((v, i) => v + step * moves[k]![i]!)));
        let best = Infinity;
        for (const step of [1e-3, 3e-4, 1e-4, 3e-3, 3e-5, 1e-2]) {
          const numeric = ((await lossAt(step)) - (await lossAt(-step))) / (2 * step);
          best = Math.min(best, Math.abs(numeric - analytic) / Math.abs(analytic));
          if (best < 1e-2) break;
        }
        worst = Math.max(worst, best);
      }
      expect(worst).toBeLessThan(1e-2);
    } finally {
      await runner.release();
      await loss.release();
    }
  });
});

/** Root mean square. */
const norm = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);

describe('gradients', () => {
  it('of data are those of its batches, weighted by their examples', async () => {
    const { model, weights } = await setUp('lstm2.onnx');
    const source = (batch: number) => ({ path, mean: [0.286], std: [0.353], limit: 5, batch });
    const one = await gradients(model, { data: source(5), runtime });
    const parts = await gradients(model, { data: source(2), runtime });
    expect(parts.examples).toBe(5);
    expect(parts.loss).toBeCloseTo(one.loss, 5);
    expect([...one.gradients.keys()]).toEqual(weights.map(({ name }) => name));
    for (const [name, values] of one.gradients) {
      const largest = values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      parts.gradients.get(name)!.forEach((v, i) => expect(Math.abs(v - values[i]!)).toBeLessThan(1e-4 * largest + 1e-7)); // prettier-ignore
    }
  });

  it('can be taken by inputs and by values in between', async () => {
    const { model } = await setUp('vit_tiny.onnx');
    const inner = model.graph.nodes.find(({ opType }) => opType === 'Softmax')!.outputs[0]!;
    const data = { path, mean: [0.286], std: [0.353], limit: 2 };
    const { gradients: found } = await gradients(model, { data, wrt: ['input', inner], loss: 'squared-norm', runtime }); // prettier-ignore
    expect(found.get('input')).toHaveLength(2 * 28 * 28);
    expect(found.get('input')!.some((v) => v !== 0)).toBe(true);
    expect(found.get(inner)!.every(Number.isFinite)).toBe(true);
  });

  it('refuse unknown names, unknown losses and missing labels', async () => {
    const { model } = await setUp('resnet20.onnx');
    const data = { path: 'random', limit: 2 };
    await expect(gradients(model, { data, wrt: ['nope'], loss: 'pseudo-labels' })).rejects.toThrow(
      'unknown value: nope',
    );
    await expect(gradients(model, { data, loss: 'hinge' as 'mse' })).rejects.toThrow(
      "invalid loss: 'hinge'; use one of cross-entropy",
    );
    await expect(gradients(model, { data, loss: 'cross-entropy' })).rejects.toThrow('no labels');
  });

  it('of outputs whose shapes depend on data are refused before anything runs, of values before them are not', async () => {
    const { model } = await setUp('resnet20.onnx');
    const { graph } = model;
    const [logits] = graph.outputs;
    const positive = [
      node('NonZero', [logits!.name], ['places']),
      node('Transpose', ['places'], ['rows'], { perm: { type: 'ints', value: [1n, 0n] } }),
      node('GatherND', [logits!.name, 'rows'], ['found']),
    ];
    const outputs = [{ name: 'found', docString: '', type: undefined }];
    const odd = { ...model, graph: { ...graph, nodes: [...graph.nodes, ...positive], outputs } };
    const data = { path, mean: [0.286], std: [0.353], limit: 2 };
    const session = vi.spyOn(GradientRunner.prototype as unknown as { load: () => void }, 'load');
    await expect(gradients(odd, { data, loss: 'squared-norm', runtime })).rejects.toThrow(
      /outputs found depend on data.*choose a criterion that takes none.*squared-norm=NAME/,
    );
    expect(session).not.toHaveBeenCalled();
    session.mockRestore();
    const inner = await gradients(odd, {
      data,
      loss: { loss: 'squared-norm', output: logits!.name },
      runtime,
    });
    const plain = await gradients(model, { data, loss: 'squared-norm', runtime });
    expect(inner.loss).toBeCloseTo(plain.loss, 5);
    for (const [name, values] of plain.gradients) expect(inner.gradients.get(name)).toEqual(values);
    await expect(gradients(odd, { data, loss: { loss: 'mse', output: 'nope' }, runtime })).rejects.toThrow(
      'invalid loss output: nope',
    );
  });

  it('name every op that has no rule before anything runs', async () => {
    const { model } = await setUp('resnet20.onnx');
    const nodes = model.graph.nodes.map((own) => {
      if (own.opType !== 'Relu') return own;
      return { ...own, opType: 'Shrink' };
    });
    const odd = { ...model, graph: { ...model.graph, nodes } };
    await expect(
      gradients(odd, { data: { path: 'random', limit: 2 }, loss: 'pseudo-labels' }),
    ).rejects.toThrow('no gradient rule for Shrink (19 nodes)');
  });
});
