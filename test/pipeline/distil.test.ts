import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, prune, train, verify } from '../../src/api.js';
import type { DataSource } from '../../src/data/batch.js';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import { encodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { trainingKey } from '../../src/pipeline/train.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { folder } from '../training/reference.js';

let dense: Model;
let data: DataSource;
let scratch: string;

beforeAll(async () => {
  dense = await loadModel(join(folder, 'resnet_bn.onnx'));
  const x = fillNormal(new Float32Array(80 * 3 * 16 * 16), randomGenerator('images'));
  data = dataFromArrays({ x: { data: x, dims: [80, 3, 16, 16] } }, modelInputs(dense), { batch: 10 });
  scratch = await mkdtemp(join(tmpdir(), 'onnx-prune-distil-'));
});

afterAll(() => rm(scratch, { recursive: true, force: true }));

/** The values of a model's node outputs on the first batch. */
async function valuesOf(model: Model, names: readonly string[]) {
  const runtime = await nodeRuntime();
  const outputs = names.map((name) => ({ name, docString: '', type: undefined }));
  const session = await runtime.load(encodeModel({ ...model, graph: { ...model.graph, outputs } }));
  for await (const { inputs } of data) {
    const { x } = inputs as Required<typeof inputs>;
    const found = await session.run({ x: runtime.tensor('float32', x!.data, x!.dims) });
    await session.release();
    return names.map((name) => ({ data: found[name]!.data as Float32Array, dims: found[name]!.dims }));
  }
  throw new Error('no data');
}

describe('pruning with distillation', () => {
  it('proves the surgery, trains what is left, and says so in the plan and the model', async () => {
    const settings = {
      ratio: 0.5,
      data,
      reconstruct: false,
      distil: { epochs: 6, trainBatch: 12, heldOut: 20 },
    };
    const result = await prune(dense, settings);
    const { verification, training } = result.report;
    expect(verification?.passed).toBe(true);
    expect(training).toMatchObject({ loss: 'kl of y', examples: 60, heldOut: 20, steps: 30 });
    expect(training!.after).toBeLessThan(training!.before);
    const plan = result.planFile('');
    expect(plan).toMatchObject({ weightsChanged: true, weightsTrained: true });
    const noted = result.model.metadata.find(({ key }) => key === trainingKey);
    expect(noted?.value).toBe('weights trained: kl of y, 30 steps');
    expect((await verify(dense, result.model, { plan })).passed).toBe(true);
    // Without what the plan says of the weights they would have to be the dense model's.
    const claimed = { ...plan, weightsChanged: false };
    expect((await verify(dense, result.model, { plan: claimed })).passed).toBe(false);
    // The interface is that of the dense model.
    expect(result.model.graph.outputs.map(({ name }) => name)).toEqual(['y']);
  });

  it('has no part in a run that does not ask for it', async () => {
    const result = await prune(dense, { ratio: 0.5 });
    expect(result.report.training).toBeUndefined();
    expect(result.planFile('')).not.toHaveProperty('weightsTrained');
    await expect(prune(dense, { ratio: 0.5, distil: true })).rejects.toThrow(/distillation needs data/);
  });
});

describe('training a file that was pruned before', () => {
  it('compares inner values at the channels that the plan kept', async () => {
    const pruned = await prune(dense, { ratio: 0.5 });
    const plan = pruned.planFile('');
    const { report } = await train(dense, pruned.model, { data, plan, distilLoss: 'inner', epochs: 1, heldOut: 79, trainBatch: 1 }); // prettier-ignore
    // By hand: the residual sum of both models, and the kept channels as they stand in the plan's weights.
    const sum = dense.graph.nodes.find(({ opType }) => opType === 'Add')!.outputs[0]!;
    const entry = plan.tensors.find(({ initializer }) => initializer === '3.a.weight')!;
    const kept = entry.axes['1']!;
    const [[theirs], [ours]] = [await valuesOf(dense, [sum]), await valuesOf(pruned.model, [sum])];
    const area = theirs!.dims[2]! * theirs!.dims[3]!;
    expect(ours!.dims[1]).toBe(kept.length);
    expect(report.loss).toBe(`mse of ${sum}`);
    expect(kept.length).toBeLessThan(theirs!.dims[1]!);
    // The first batch has 10 of the 79 held-out examples; a bound is enough: errors over variances are near each other.
    let error = 0;
    for (const [channel, source] of kept.entries()) {
      const at = (value: { data: Float32Array; dims: readonly number[] }, c: number): number[] =>
        Array.from({ length: 10 }, (_, n) => n).flatMap((n) => [...value.data.subarray((n * value.dims[1]! + c) * area, (n * value.dims[1]! + c + 1) * area)]); // prettier-ignore
      const [a, b] = [at(theirs!, source), at(ours!, channel)];
      const mean = a.reduce((x, y) => x + y, 0) / a.length;
      const variance = a.reduce((x, y) => x + (y - mean) ** 2, 0) / a.length;
      error += a.reduce((x, y, i) => x + (y - b[i]!) ** 2, 0) / a.length / variance / kept.length;
    }
    expect(report.before / error).toBeGreaterThan(0.9);
    expect(report.before / error).toBeLessThan(1.1);
  });

  it('keeps the last checkpoints in a folder, and goes on from them', async () => {
    const pruned = await prune(dense, { ratio: 0.5 });
    const checkpoint = join(scratch, 'states');
    const settings = { data, epochs: 3, trainBatch: 24, checkpoint } as const;
    const whole = await train(dense, pruned.model, settings);
    expect(await readdir(checkpoint)).toEqual(['checkpoint-2.bin', 'checkpoint-3.bin']);
    await rm(join(checkpoint, 'checkpoint-3.bin'));
    const resumed = await train(dense, pruned.model, { ...settings, resume: true });
    expect(encodeModel(resumed.model)).toEqual(encodeModel(whole.model));
  });

  it('gives inner values only with a plan', async () => {
    const pruned = await prune(dense, { ratio: 0.5 });
    await expect(train(dense, pruned.model, { data, distilLoss: 'inner' })).rejects.toThrow(
      /nothing to read/,
    );
  });
});
