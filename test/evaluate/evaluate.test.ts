import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Batch } from '../../src/data/batch.js';
import { dataFromBatches } from '../../src/data/batches.js';
import { openData } from '../../src/data/files.js';
import { modelInputs } from '../../src/data/inputs.js';
import { noiseData } from '../../src/data/noise.js';
import { evaluate } from '../../src/evaluate/evaluate.js';
import { decodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';

const path = (name: string) => fileURLToPath(new URL(`../../models/${name}`, import.meta.url));
const modelBytes = (name: string) => readFileSync(path(`trained/${name}.onnx`));
const load = (name: string) => decodeModel(modelBytes(name));
const images = { path: path('data/t10k-images-idx3-ubyte.gz'), mean: 0.286, std: 0.353 };

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

/** The model with another batch dim on its inputs; outputs are left to onnxruntime. */
function withBatch(model: Model, batch: number): Model {
  const inputs = model.graph.inputs.map((input) => {
    if (input.type?.kind !== 'tensor') return input;
    const shape = input.type.shape!.map((dim, axis) => (axis === 0 ? { ...dim, value: batch } : dim));
    return { ...input, type: { ...input.type, shape } };
  });
  return { ...model, graph: { ...model.graph, inputs } };
}

describe('evaluate', () => {
  // Hits on the first 1,000 test images as counted once by onnxruntime 1.32 for Python with NumPy.
  it.each([
    ['resnet20', 928],
    ['vgg8bn', 936],
    ['mobilenet_se', 934],
    ['vit_tiny', 901],
    ['lstm2', 888],
  ])('counts the hits of %s', async (name, hits) => {
    const model = load(name);
    const data = await openData({ ...images, limit: 1000 }, modelInputs(model));
    const seen: number[] = [];
    const result = await evaluate(model, { runtime, data, onProgress: ({ done }) => seen.push(done) });
    expect(result.accuracy).toEqual({ output: 'logits', examples: 1000, hits, top1: hits / 1000 });
    expect(result.examplesPerSecond).toBeGreaterThan(0);
    expect(seen.at(-1)).toBe(1000);
    expect(seen.length).toBe(16);
  });

  it('does not count what fills the last batch of a fixed batch size', async () => {
    const model = withBatch(load('lstm2'), 96);
    const data = await openData({ ...images, limit: 1000 }, modelInputs(model));
    const sizes = new Set<number>();
    const metric = (outputs: Record<string, { dims: readonly number[] }>, batch: Batch) => {
      sizes.add(outputs['logits']!.dims[0]!);
      expect(batch.labels!.length).toBe(batch.size);
      return batch.size;
    };
    const result = await evaluate(model, { runtime, data, metric });
    expect(result.accuracy!.hits).toBe(888);
    expect(sizes).toEqual(new Set([96, 1000 % 96]));
    // Ten batches of 96 and one of 40, weighed by their examples.
    expect(result.metrics!['metric']).toBeCloseTo((10 * 96 * 96 + 40 * 40) / 1000, 9);
  });

  it('compares with a reference model, element by element', async () => {
    const [model, reference] = [load('lstm2'), load('mobilenet_se')];
    const inputs = modelInputs(model);
    const data = noiseData(inputs, { limit: 70, seed: 2, batch: 32 });
    const result = await evaluate(model, { runtime, data, reference });

    let [sum, max, scale, agreed, example] = [0, 0, 0, 0, 0];
    const flips: { example: number; reference: number; predicted: number }[] = [];
    const sessions = await Promise.all(
      ['lstm2', 'mobilenet_se'].map((name) => ort.InferenceSession.create(modelBytes(name))),
    );
    for await (const { inputs: fed } of noiseData(inputs, { limit: 70, seed: 2, batch: 1 })) {
      const feeds = { input: new ort.Tensor('float32', fed['input']!.data as Float32Array, [1, 1, 28, 28]) };
      const [a, b] = (await Promise.all(sessions.map((session) => session.run(feeds)))).map((run) =>
        Array.from(run['logits']!.data as Float32Array),
      ) as [number[], number[]];
      const differences = a.map((value, i) => Math.abs(value - b[i]!));
      sum += differences.reduce((x, y) => x + y);
      max = Math.max(max, ...differences);
      scale += b.reduce((x, y) => x + Math.abs(y), 0);
      const [predicted, reference] = [a.indexOf(Math.max(...a)), b.indexOf(Math.max(...b))];
      if (predicted === reference) agreed++;
      else flips.push({ example, reference, predicted });
      example++;
    }
    const [difference] = result.differences!;
    expect(difference!.mean).toBeCloseTo(sum / 700, 4);
    expect(difference!.max).toBeCloseTo(max, 3);
    expect(difference!.relative).toBeCloseTo(sum / scale, 4);
    expect(difference!.nonFinite).toBe(0);
    expect(result.agreement).toEqual({ output: 'logits', examples: 70, share: agreed / 70 });
    expect(flips.length).toBeGreaterThan(0);
    expect(result.flips).toEqual(flips);
    expect(result.accuracy).toBeUndefined();

    const same = await evaluate(model, { runtime, data, reference: model });
    expect(same.differences![0]).toMatchObject({ mean: 0, max: 0, relative: 0 });
    expect(same.agreement!.share).toBe(1);
    expect(same.flips).toEqual([]);
  });

  it('says what is wrong', async () => {
    const model = load('lstm2');
    const inputs = modelInputs(model);
    const x = { input: { data: new Float32Array(784), dims: [1, 1, 28, 28] } };
    const run = (batch: { labels?: number[] }, output?: string) =>
      evaluate(model, { runtime, data: dataFromBatches([{ inputs: x, ...batch }], inputs), output });
    await expect(run({ labels: [10] })).rejects.toThrow(
      "label 10 is beyond the 10 classes of output 'logits'",
    );
    await expect(run({ labels: [1] }, 'scores')).rejects.toThrow(
      "output 'scores' does not exist; name one of shape [batch, classes] among logits",
    );
    await expect(evaluate(model, { runtime, data: dataFromBatches([], inputs) })).rejects.toThrow(
      "no examples in 'batches'",
    );
    await expect(
      evaluate(model, {
        runtime,
        data: dataFromBatches([{ inputs: x }], inputs),
        signal: AbortSignal.abort(),
      }),
    ).rejects.toThrow('aborted');
  });
});
