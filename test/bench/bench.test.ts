import { readFile } from 'node:fs/promises';
import type { InferenceSession } from 'onnxruntime-common';
import { expect, test, vi } from 'vitest';
import { bench, type BenchOptions } from '../../src/bench/bench.js';
import { decodeModel } from '../../src/onnx/codec.js';
import { randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { ProfiledNode, Runtime } from '../../src/runtime/runtime.js';

const runtime = await nodeRuntime();
const bytes = new Uint8Array(await readFile('models/trained/mobilenet_se.onnx'));
const models = [
  { name: 'dense', model: bytes },
  { name: 'again', model: decodeModel(bytes) },
];

/** The runtime, with a log of what ran. */
function logging(extra: Partial<Runtime> = {}): Runtime & { runs: number[] } {
  const runs: number[] = [];
  let sessions = 0;
  return {
    name: runtime.name,
    version: runtime.version,
    tensor: runtime.tensor.bind(runtime),
    profile: runtime.profile.bind(runtime),
    ...extra,
    runs,
    load: async (model, options) => {
      const session = await runtime.load(model, { ...options, provider: 'cpu' });
      const index = sessions++;
      const run = session.run.bind(session);
      session.run = (feeds: InferenceSession.FeedsType) => {
        runs.push(index);
        return run(feeds);
      };
      return session;
    },
  };
}

test('times the models in turn and compares them with the first', async () => {
  const logged = logging();
  const shares: number[] = [];
  const result = await bench(models, {
    runtime: logged,
    runs: 4,
    warmup: 1,
    batch: 2,
    threads: 1,
    onProgress: ({ share }) => shares.push(share),
  });
  expect(logged.runs).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
  expect(shares).toEqual([0.25, 0.5, 0.75, 1]);
  expect(result).toMatchObject({ provider: 'cpu', threads: 1, warmup: 1, rounds: 4, seed: 0, placement: [] });
  expect(result.inputs).toEqual({ input: [2, 1, 28, 28] });
  expect(result.models.map(({ name, samples }) => [name, samples.length])).toEqual([
    ['dense', 4],
    ['again', 4],
  ]);
  for (const { median, p90, minimum } of result.models) {
    expect(minimum > 0 && minimum <= median && median <= p90).toBe(true);
  }
  expect(result.comparisons).toMatchObject([{ name: 'again', baseline: 'dense' }]);
  const [{ speedup, interval }] = result.comparisons as [(typeof result.comparisons)[number]];
  expect(interval[0] <= speedup && speedup <= interval[1]).toBe(true);
});

test('without a count, at least 10 rounds', async () => {
  const { rounds } = await bench(models.slice(0, 1), { runtime, minSeconds: 0.001, warmup: 0 });
  expect(rounds).toBe(10);
});

test('a provider that left the work to the cpu is refused before anything is timed', async () => {
  const ran = (provider: string): ProfiledNode[] => [
    { name: 'conv', opType: 'Conv', provider, microseconds: 1 },
  ];
  const fallback = logging({ profile: () => Promise.resolve(ran('CPUExecutionProvider')) });
  const options: BenchOptions = { runtime: fallback, provider: 'cuda', runs: 1, warmup: 0 };
  await expect(bench(models, options)).rejects.toMatchObject({ code: 'runtime' });
  expect(fallback.runs).toEqual([]);
  const honest = logging({ profile: () => Promise.resolve(ran('CUDAExecutionProvider')) });
  const { placement } = await bench(models, { ...options, runtime: honest });
  expect(placement).toMatchObject([
    { name: 'dense', computeShare: 1, nodes: { CUDAExecutionProvider: 1 }, elsewhere: [] },
    { name: 'again', computeShare: 1 },
  ]);
});

test('bad options and aborts are refused', async () => {
  await expect(bench(models, { runtime, runs: 0 })).rejects.toThrow(/^invalid runs: 0/);
  await expect(bench(models, { runtime, shapes: { x: [1] } })).rejects.toMatchObject({
    code: 'invalid-option',
  });
  await expect(bench(models, { runtime, signal: AbortSignal.abort() })).rejects.toMatchObject({
    code: 'aborted',
  });
});

test('goes on until the interval is as narrow as asked for, or time is up', async () => {
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now);
  try {
    const random = randomGenerator(1);
    /** Runs take 10 ms of an artificial clock, more or less. */
    const noisy = (noise: number): Runtime => ({
      ...logging(),
      load: async (model, options) => {
        const session = await runtime.load(model, options);
        session.run = () => {
          now += 10 * (1 + noise * random());
          return Promise.resolve({});
        };
        return session;
      },
    });
    const options = { warmup: 0, minSeconds: 0.1, halfWidth: 0.05, maxSeconds: 8 };
    const quiet = await bench(models, { ...options, runtime: noisy(0.001) });
    const loud = await bench(models, { ...options, runtime: noisy(0.5) });
    expect(loud.rounds).toBeGreaterThan(quiet.rounds);
    for (const { comparisons } of [quiet, loud]) {
      const { interval, speedup } = comparisons[0]!;
      expect((interval[1] - interval[0]) / 2 / speedup).toBeLessThanOrEqual(0.05);
    }
    const hopeless = await bench(models, { ...options, halfWidth: 1e-9, runtime: noisy(0.5) });
    expect(hopeless.models[0]!.samples.length * 2 * 10).toBeGreaterThan(6000);
    expect(hopeless.models[0]!.samples.length * 2 * 10).toBeLessThan(10_000);
  } finally {
    clock.mockRestore();
  }
});

test('tells memory and the time of each kind of op', async () => {
  let used = 1000;
  const { models: timings } = await bench(models, {
    runtime,
    runs: 1,
    warmup: 0,
    profile: true,
    memory: () => (used += 500),
  });
  for (const { memory, operators } of timings) {
    expect(memory).toBe(500);
    expect(Object.keys(operators!)).toContain('Conv');
    for (const time of Object.values(operators!)) expect(time).toBeGreaterThanOrEqual(0);
  }
  const plain = await bench(models, { runtime, runs: 1, warmup: 0 });
  expect(plain.models[0]).not.toHaveProperty('memory');
  expect(plain.models[0]).not.toHaveProperty('operators');
});
