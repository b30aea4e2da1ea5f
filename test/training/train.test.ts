import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { analyze, loadModel } from '../../src/api.js';
import type { Analysis } from '../../src/analysis/analyze.js';
import type { Batch, DataSource } from '../../src/data/batch.js';
import { dataFromArrays, dataFromBatches } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf, floatTensor } from '../../src/onnx/values.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import type { CheckpointStore } from '../../src/training/checkpoint.js';
import { trainStudent, TrainingDiverged, type TrainRequest } from '../../src/training/train.js';
import { folder } from './reference.js';

let runtime: Runtime;
let dense: Model;
let student: Analysis;
let data: DataSource;

beforeAll(async () => {
  runtime = await nodeRuntime();
  dense = await loadModel(join(folder, 'mlp.onnx'));
  student = await analyze(disturbed(dense));
  data = examples(200);
});

/** The same model with noise on its weights: what training has to undo. */
function disturbed(model: Model): Model {
  const initializers = model.graph.initializers.map((tensor) => {
    if (tensor.dims.length < 2) return tensor;
    const noise = fillNormal(new Float32Array(floatsOf(tensor).length), randomGenerator(tensor.name));
    return floatTensor(tensor.name, floatsOf(tensor).map((value, i) => value + 0.2 * noise[i]!), tensor.dims); // prettier-ignore
  });
  return { ...model, graph: { ...model.graph, initializers } };
}

function examples(count: number): DataSource {
  const x = fillNormal(new Float32Array(6 * count), randomGenerator('x'));
  return dataFromArrays({ x: { data: x, dims: [count, 6] } }, modelInputs(dense));
}

function request(more: Partial<TrainRequest> = {}): TrainRequest {
  return { teacher: dense, student: student.axes, data, runtime, threads: 1, trainBatch: 20, epochs: 4, ...more }; // prettier-ignore
}

function weightsOf(model: Model): number[] {
  return model.graph.initializers.flatMap((tensor) => [
    ...(tensor.dtype === 'float32' ? floatsOf(tensor) : []),
  ]);
}

/** Keeps checkpoints in memory, and those before the last too. */
class MemoryStore implements CheckpointStore {
  readonly saved: Uint8Array[] = [];

  save(bytes: Uint8Array): Promise<void> {
    this.saved.push(bytes.slice());
    return Promise.resolve();
  }

  load(): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.saved.at(-1));
  }
}

describe('training', () => {
  it('brings a model back to the dense one', async () => {
    const { report, model } = await trainStudent(request({ epochs: 20, learningRate: 0.02 }));
    expect(report.after).toBeLessThan(report.before / 20);
    expect(report.passes).toHaveLength(20);
    expect(report).toMatchObject({ examples: 180, heldOut: 20, steps: 180, ended: 'done', frozen: [] });
    expect(report.loss).toBe('kl of y');
    const again = await trainStudent(request({ student: (await analyze(model)).axes, epochs: 1 }));
    expect(again.report.before).toBeCloseTo(report.after, 6);
  });

  it('gives the same weights for the same seed, others for another', async () => {
    const [first, same, other] = [0, 0, 1].map((seed) => request({ seed, learningRate: 0.02 }));
    const weights = weightsOf((await trainStudent(first!)).model);
    expect(weightsOf((await trainStudent(same!)).model)).toEqual(weights);
    expect(weightsOf((await trainStudent(other!)).model)).not.toEqual(weights);
  });

  it('hands out what it was given where nothing is better', async () => {
    const own = await analyze(dense);
    const { report, model } = await trainStudent(request({ student: own.axes, learningRate: 1 }));
    expect(report).toMatchObject({ kept: 0, before: report.after });
    expect(weightsOf(model)).toEqual(weightsOf(own.model));
  });

  it('ends early without progress', async () => {
    const own = await analyze(dense);
    const { report } = await trainStudent(request({ student: own.axes, epochs: 9, patience: 2 }));
    expect(report).toMatchObject({ ended: 'patience', kept: 0 });
    expect(report.passes).toHaveLength(2);
  });

  it('stops at a loss that is no number, with the best state before', async () => {
    const running = trainStudent(
      request({ optimizer: 'sgd', learningRate: 1e30, learningRateSchedule: 'constant' }),
    );
    const error = await running.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(TrainingDiverged);
    const { code, message, trained } = error as TrainingDiverged;
    expect(code).toBe('diverged');
    expect(message).toMatch(/training diverged: .* at step \d+ .*; lower the learning rate/);
    expect(trained.report.ended).toBe('diverged');
    expect(weightsOf(trained.model)).toEqual(weightsOf(student.model));
  });

  it('is aborted between batches', async () => {
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const running = trainStudent(request({ signal: controller.signal, onProgress }));
    await expect(running).rejects.toMatchObject({ code: 'aborted' });
  });

  it('decays weights, not norms or biases', async () => {
    const own = await analyze(dense);
    const { model } = await trainStudent(
      request({ student: own.axes, weightDecay: 0.5, learningRate: 0.1, learningRateSchedule: 'constant', batchStatistics: false, optimizer: 'sgd', epochs: 1, distilLoss: decayOnly() }), // prettier-ignore
    );
    const before = new Map(own.model.graph.initializers.map((tensor) => [tensor.name, floatsOf(tensor)]));
    for (const tensor of model.graph.initializers) {
      if (tensor.dtype !== 'float32') continue;
      const [old, now] = [before.get(tensor.name)![0]!, floatsOf(tensor)[0]!];
      if (tensor.dims.length > 1) expect(Math.abs(now)).toBeLessThan(Math.abs(old));
      else expect(now).toBe(old);
    }
  });

  it('takes ready batches as they come, of any sizes', async () => {
    const inputs = modelInputs(dense);
    const batches = [5, 8, 3, 9].map((count) => ({
      inputs: {
        x: { data: fillNormal(new Float32Array(6 * count), randomGenerator(count)), dims: [count, 6] },
      },
    }));
    const { report } = await trainStudent(request({ data: dataFromBatches(batches, inputs), epochs: 2 }));
    expect(report).toMatchObject({ examples: 16, heldOut: 9, steps: 6 });
  });

  it('averages gradients of several batches for a step', async () => {
    // Without statistics of the batch the mean over two batches is that over one of twice the size.
    const options = {
      batchStatistics: false,
      epochs: 1,
      learningRateSchedule: 'constant',
      heldOut: 20,
    } as const;
    const whole = await trainStudent(request({ ...options, trainBatch: 60 }));
    const parts = await trainStudent(request({ ...options, trainBatch: 30, accumulate: 2 }));
    expect(parts.report.steps).toBe(whole.report.steps);
    const [a, b] = [weightsOf(whole.model), weightsOf(parts.model)];
    a.forEach((value, i) => expect(b[i]).toBeCloseTo(value, 5));
  });

  it.each([
    [{ epochs: 1, minutes: 1 }, /give one of them/],
    [{ epochs: 0 }, /invalid epochs: 0/],
    [{ learningRate: -1 }, /invalid learning rate/],
    [{ distilLoss: 'labels' as const }, /has no labels to train by/],
    [{ distilLoss: 'inner' as const }, /inner has nothing to read/],
    [{ distilLoss: { loss: 'kl', output: 'z' } as const }, /invalid output of kl: z; the models share the float outputs y/], // prettier-ignore
    [{ augment: ['flip'] as const }, /no input is a picture/],
    [{ resume: true }, /resume needs a checkpoint folder/],
  ])('refuses %j', async (options, message) => {
    await expect(trainStudent(request(options))).rejects.toThrow(message);
  });
});

/** The size of the output, which shrinks with the weights, but with gradients that are all zero. */
function decayOnly(): TrainRequest['distilLoss'] {
  return {
    name: 'nothing',
    teacher: [],
    labels: false,
    emit: ({ emit, outputs }) => {
      const [{ name, shape }] = outputs as [{ name: string; shape: readonly number[] }];
      return {
        value: emit.op('ReduceSumSquare', [name], { keepdims: 0 }),
        cotangents: new Map([[name, emit.zeros(shape)]]),
      };
    },
  };
}

describe('a run that was stopped', () => {
  it('goes on to the same bytes', async () => {
    const options = { average: 0.9, augment: [(batch: Batch) => batch] };
    const whole = new MemoryStore();
    const uninterrupted = await trainStudent(request({ ...options, checkpoint: whole }));
    const store = new MemoryStore();
    const controller = new AbortController();
    let steps = 0;
    // In the middle of the third pass of four.
    const onProgress = (): void => void (++steps === 22 && controller.abort());
    const { signal } = controller;
    await expect(trainStudent(request({ ...options, checkpoint: store, signal, onProgress }))).rejects.toThrow('aborted'); // prettier-ignore
    expect(store.saved).toHaveLength(2);
    const resumed = await trainStudent(request({ ...options, checkpoint: store, resume: true }));
    expect(weightsOf(resumed.model)).toEqual(weightsOf(uninterrupted.model));
    expect(resumed.report.passes).toEqual(uninterrupted.report.passes);
  });

  it('does not go on with other options, other data or another model', async () => {
    const store = new MemoryStore();
    const first = request({ checkpoint: store, epochs: 1 });
    await trainStudent(first);
    const other = { ...first, resume: true };
    for (const change of [
      { learningRate: 1e-3 },
      { epochs: 2 },
      { data: examples(100) },
      { teacher: disturbed(dense) },
    ])
      await expect(trainStudent({ ...other, ...change })).rejects.toThrow(
        /of another model, plan, data or options/,
      );
  });

  it('does not go on from a damaged checkpoint', async () => {
    const store = new MemoryStore();
    const own = request({ checkpoint: store, epochs: 1 });
    await trainStudent(own);
    const [good] = store.saved as [Uint8Array];
    const damages: ((bytes: Uint8Array) => Uint8Array)[] = [
      (bytes) => bytes.subarray(0, 10),
      (bytes) => bytes.subarray(0, bytes.length - 5),
      (bytes) => bytes.with(40, 255),
      (bytes) => bytes.with(bytes.length - 40, bytes[bytes.length - 40]! ^ 1),
      () => new Uint8Array(200),
    ];
    for (const damage of damages) {
      store.saved.push(damage(good));
      await expect(trainStudent({ ...own, resume: true })).rejects.toMatchObject({ code: 'invalid-file' });
    }
  });
});

describe('the dense model', () => {
  /** A runtime that counts the runs of sessions with one output and no weights among their inputs. */
  async function runsWith(options: Partial<TrainRequest>): Promise<number> {
    let runs = 0;
    const counting: Runtime = {
      name: runtime.name,
      version: runtime.version,
      tensor: runtime.tensor.bind(runtime),
      profile: runtime.profile.bind(runtime),
      load: async (...given) => {
        const session = await runtime.load(...given);
        const isDense = session.inputNames.join() === 'x' && session.outputNames.join() === 'y';
        if (!isDense) return session;
        const run = session.run.bind(session) as (...args: unknown[]) => ReturnType<typeof session.run>;
        session.run = (...args: unknown[]) => {
          runs++;
          return run(...args);
        };
        return session;
      },
    };
    await trainStudent(request({ ...options, runtime: counting }));
    return runs;
  }

  it('is run once an example where memory allows it, else along with the student', async () => {
    // One batch of held-out examples for the loss; then the held-out ones and nine batches of the first pass.
    expect(await runsWith({ epochs: 3 })).toBe(1 + 1 + 9);
    const bytes = 200 * 5 * 4;
    expect(await runsWith({ epochs: 3, teacherMemory: bytes })).toBe(1 + 1 + 9);
    expect(await runsWith({ epochs: 3, teacherMemory: bytes - 1 })).toBe(1 + 4 + 3 * 9);
    expect(await runsWith({ epochs: 3, augment: [(batch) => batch] })).toBe(1 + 1 + 3 * 9);
  });
});
