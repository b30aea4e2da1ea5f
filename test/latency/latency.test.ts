import { afterEach, describe, expect, it, vi } from 'vitest';
import type { PruningGroup } from '../../src/groups/group.js';
import { analyze, loadModel, nodeRuntime, openData, prune, type Runtime } from '../../src/index.js';
import { bestAlignment, oddMultiple } from '../../src/latency/alignment.js';
import { latencyModel } from '../../src/latency/latency.js';
import { operationsOf } from '../../src/latency/operation.js';
import { timesOf, type LatencyCache } from '../../src/latency/measure.js';
import { partName, sideBySide } from '../../src/latency/side-by-side.js';
import { latencyTable } from '../../src/latency/table.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { inputSpecs, randomInputs } from '../../src/runtime/inputs.js';
import { chain, grouped, transformer, type BuiltNetwork } from '../cost/network.js';

const resnet20 = 'models/trained/resnet20.onnx';

function operations({ grouping, cost }: BuiltNetwork) {
  return operationsOf(grouping, cost, () => 'float32');
}

/** Knows every time already: what the function says of the widths. */
function knowing(time: (widths: readonly number[]) => number): LatencyCache {
  return {
    get: (key) =>
      time(
        key
          .slice(key.lastIndexOf(' ') + 1)
          .split(',')
          .map(Number),
      ),
    set: () => expect.unreachable(),
  };
}

describe('operations', () => {
  it.each([
    ['convolutions and a classifier', chain(24, 20)],
    ['grouped and depthwise convolutions', grouped(3, 8, 20)],
    ['attention', transformer(4, 8, 24, 40)],
  ])('of %s run by themselves at every width', async (_, network) => {
    const runtime = await nodeRuntime();
    const found = operations(network);
    expect(found.length).toBeGreaterThan(1);
    for (const operation of found)
      for (const share of [1, 0.5]) {
        const widths = operation.dense.map((width) => Math.max(1, Math.round(share * width)));
        const session = await runtime.load(encodeModel(sideBySide([{ operation, widths }])));
        const result = await session.run(randomInputs(runtime, inputSpecs(session)));
        expect(result[partName(0)]!.dims.every((dim) => dim > 0)).toBe(true);
        await session.release();
      }
  });

  it('run side by side, each at its own widths, and are told apart', async () => {
    const runtime = await nodeRuntime();
    const found = operations(chain(24, 20));
    const parts = found.flatMap((operation) =>
      [1, 0.5].map((share) => ({
        operation,
        widths: operation.dense.map((width) => Math.max(1, Math.round(share * width))),
      })),
    );
    let profiles = 0;
    const counting: Runtime = {
      ...{ name: runtime.name, version: runtime.version },
      tensor: (...given) => runtime.tensor(...given),
      load: (...given) => runtime.load(...given),
      profile: (...given) => {
        profiles++;
        return runtime.profile(...given);
      },
    };
    const times = await timesOf(parts, '', { runtime: counting });
    expect(times).toHaveLength(parts.length);
    for (const time of times) expect(time).toBeGreaterThan(0);
    expect(profiles).toBe(1);
  });

  it('share a signature where they are the same work, and only there', () => {
    const signatures = operations(transformer(4, 8, 24, 40)).map(({ signature }) => signature);
    // Query, key and value projections are alike; the rest differ.
    expect(new Set(signatures).size).toBeLessThan(signatures.length);
    const [a] = operations(chain(24, 20));
    const [b] = operations(chain(32, 20));
    expect(a!.signature).not.toBe(b!.signature);
  });

  it('are measured once at each width', async () => {
    const runtime = await nodeRuntime();
    const known = new Map<string, number>();
    const cache: LatencyCache = { get: (key) => known.get(key), set: (key, time) => known.set(key, time) };
    const found = operations(chain(8, 6));
    const first = await latencyTable(found, { runtime, cache });
    expect(known.size).toBeGreaterThan(0);
    for (const time of known.values()) expect(time).toBeGreaterThan(0);
    const again = await latencyTable(found, {
      runtime: { ...runtime, profile: () => expect.unreachable() },
      cache,
    });
    expect(again).toEqual(first);
  });
});

describe('the best multiple', () => {
  const found = operations(chain(64, 64));
  const runtime = {} as Runtime;
  const upTo = (block: number) => (widths: readonly number[]) =>
    widths.reduce((time, width) => time * Math.ceil(width / block) * block, 1);

  it.each([
    [1, 1],
    [8, 8],
    [16, 16],
    [32, 32],
  ])('is %i where kernels work in blocks of %i', async (expected, block) => {
    expect(await bestAlignment(found, { runtime, cache: knowing(upTo(block)) })).toBe(expected);
  });

  it('is tried at an odd multiple, which no larger one divides', () => {
    expect([1, 4, 8, 16, 32].map((multiple) => oddMultiple(192, multiple))).toEqual([
      193, 196, 200, 208, 224,
    ]);
  });
});

describe('the latency model', () => {
  it('gives the dense time as measured, less for less channels, and never more for fewer', async () => {
    const { grouping, cost, shapes, runtime } = await analyze(resnet20);
    const model = await latencyModel(grouping, cost, (value) => shapes.dtypeOf(value), {
      runtime,
      cache: knowing((widths) => widths.reduce((a, b) => a * b, 1e-4)),
    });
    expect(model.predict()).toBe(model.dense);
    expect(model.predict(({ size }) => size)).toBeCloseTo(model.dense, 6);
    let before = model.dense;
    for (const share of [0.9, 0.7, 0.5, 0.3]) {
      const now = model.predict(({ size }) => Math.ceil(share * size));
      expect(now).toBeLessThan(before);
      before = now;
    }
    expect(before).toBeGreaterThan(0);
  });
});

describe('pruning by measurement', () => {
  afterEach(() => vi.restoreAllMocks());

  /** A machine on which a run takes as long as `time` says of the model's size in bytes, by its own clock. */
  async function machine(time: (bytes: number) => number): Promise<Runtime> {
    const runtime = await nodeRuntime();
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    return {
      name: runtime.name,
      version: runtime.version,
      tensor: (...given) => runtime.tensor(...given),
      load: async (model, options) => {
        const session = await runtime.load(model, options);
        const run = session.run.bind(session) as (...given: unknown[]) => ReturnType<typeof session.run>;
        session.run = async (...given: unknown[]) => {
          const result = await run(...given);
          now += time(model.length);
          return result;
        };
        return session;
      },
      profile: (model, _feeds, _options, runs = 1) => {
        const microseconds = 1000 * time(model.length);
        const kernel = { name: 'k', opType: 'Conv', provider: 'CPUExecutionProvider', microseconds };
        return Promise.resolve(Array.from({ length: runs }, () => kernel));
      },
    };
  }

  const forget: LatencyCache = { get: () => undefined, set: () => undefined };
  const common = { latencyCache: forget, verify: 'none', roundTo: 2 } as const;

  it.each(['uniform', 'knapsack'] as const)('meets a latency as it is measured (%s)', async (select) => {
    const runtime = await machine((bytes) => bytes / 1e3);
    const { report } = await prune(resnet20, { ...common, runtime, select, budget: { latency: '60%' } });
    expect(report.latency!.measured).toBeLessThanOrEqual(0.6);
    expect(report.latency!.measured).toBeGreaterThan(0.5);
    expect(report.latency!.wanted).toBeCloseTo(0.6, 6);
  });

  it('keeps other budgets beside it', async () => {
    const runtime = await machine((bytes) => bytes / 1e3);
    const budget = { latency: '60%', macs: '40%' };
    const { report } = await prune(resnet20, { ...common, runtime, budget });
    expect(report.latency!.measured).toBeLessThanOrEqual(0.6);
    expect(report.macs.pruned / report.macs.dense).toBeLessThanOrEqual(0.4);
    expect(report.budgets.map(({ measure }) => measure)).toEqual(['macs']);
  });

  it('works on channels that were given another basis', async () => {
    const runtime = await machine((bytes) => bytes / 1e3);
    const dense = await loadModel('models/trained/mobilenet_se.onnx');
    const data = await openData({ path: 'synthetic', limit: 32 }, dense);
    const budget = { latency: '60%' };
    const options = { ...common, runtime, budget, data, criterion: 'obspa', reconstruct: true } as const;
    const { report } = await prune(dense, options);
    expect(report.rotated.length).toBeGreaterThan(0);
    expect(report.latency!.measured).toBeLessThanOrEqual(0.6);
    expect(report.latency!.measured).toBeGreaterThan(0.5);
  });

  it('scores channels once, however many plans it tries', async () => {
    // Below a size the model fits the cache, as no table of ops can tell: plans are too slow, or too fast.
    const runtime = await machine((bytes) => (bytes < 7e5 ? 0.4 : 1) * bytes);
    const scored: string[] = [];
    const criterion = ({ group }: { readonly group: PruningGroup }) => {
      scored.push(group.id);
      return Float64Array.from({ length: group.size }, (_, i) => i);
    };
    let attempts = 0;
    const onProgress = ({ detail }: { readonly detail?: string | undefined }) =>
      void (attempts += Number(detail === 'end to end'));
    const options = { ...common, runtime, criterion, onProgress, budget: { latency: '60%' } };
    await prune(resnet20, options);
    expect(attempts).toBeGreaterThan(1);
    expect(new Set(scored).size).toBe(scored.length);
  });

  it('says when a latency is out of reach', async () => {
    // Half of the time is spent whatever is removed, which the table of ops does not know.
    const dense = await machine((bytes) => 500 + bytes / 1e6);
    const attempt = prune(resnet20, { ...common, runtime: dense, budget: { latency: '40%' } });
    await expect(attempt).rejects.toMatchObject({ code: 'budget' });
  });

  it('undoes what does not pay, and refuses where nothing does', async () => {
    const slower = await machine((bytes) => 1e9 / bytes);
    const attempt = prune(resnet20, { ...common, runtime: slower, ratio: 0.3, roundTo: 'auto' });
    await expect(attempt).rejects.toMatchObject({ code: 'nothing-to-prune' });
    vi.restoreAllMocks();
    const faster = await machine((bytes) => bytes / 1e3);
    const { report } = await prune(resnet20, { ...common, runtime: faster, ratio: 0.3, roundTo: 'auto' });
    expect(report.latency!.interval[1]).toBeLessThan(1);
  });
});
