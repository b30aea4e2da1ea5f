import { beforeAll, describe, expect, it } from 'vitest';
import { prune, verify } from '../../src/api.js';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import { loadModel } from '../../src/api.js';
import { encodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf, floatTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { fillTopology, readTopology } from '../oracles/topology.js';
import { length, run, silenced, transformer } from './network.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const dense = transformer(['mlp', 'mlp', 'mlp', 'mlp']);
const data = () => {
  const random = randomGenerator(3);
  const input = Float32Array.from({ length: 16 * length * 5 }, () => normal(random));
  return dataFromArrays({ input: { data: input, dims: [16, length, 5] } }, modelInputs(dense));
};

function removedOf(report: Awaited<ReturnType<typeof prune>>['report']): number[] {
  return report.depth!.branches.flatMap(({ removed }, k) => (removed ? [k] : []));
}

/** The dense model with rows of `out{k}` at zero whose channels a plan removes. */
function masked(source: Model, kept: ReadonlyMap<string, Int32Array>): Model {
  const initializers = source.graph.initializers.map((tensor) => {
    const channels = kept.get(tensor.name.replace(/^out/, 'in'));
    if (!channels || !tensor.name.startsWith('out')) return tensor;
    const [, columns] = tensor.dims as [number, number];
    const stays = new Set(channels);
    const values = Float32Array.from(floatsOf(tensor), (w, i) =>
      stays.has(Math.floor(i / columns)) ? w : 0,
    );
    return floatTensor(tensor.name, values, tensor.dims);
  });
  return { ...source, graph: { ...source.graph, initializers } };
}

describe('depth pruning', () => {
  it('alone gives the dense model without those branches, proved, and a plan that repeats it', async () => {
    const result = await prune(dense, { depth: 0.5, data: data(), verify: 'full' });
    const gone = removedOf(result.report);
    expect(gone).toHaveLength(2);
    expect(await run(runtime, result.model)).toEqual(await run(runtime, silenced(dense, gone)));
    const { depth, verification, macs, groups } = result.report;
    expect(depth).toMatchObject({ unit: 'branch', measure: 'kl', refused: [] });
    expect(verification).toMatchObject({ passed: true, level: 'full', maxError: 0 });
    expect(verification!.compared).toBeGreaterThan(10);
    const saved = depth!.branches
      .filter(({ removed }) => removed)
      .reduce((sum, branch) => sum + branch.macs, 0);
    expect(macs.dense - macs.pruned).toBe(saved);
    expect(groups.every(({ kept, size }) => kept === size)).toBe(true);

    const plan = JSON.parse(JSON.stringify(result.planFile('0'))) as { branches: unknown; factors: unknown };
    expect(plan.branches).toEqual(gone.map((k) => ({ node: `sum${k}`, input: k % 2 === 0 ? 1 : 0 })));
    expect(plan.factors).toEqual([]);
    const again = await prune(dense, { plan });
    expect(encodeModel(again.model)).toEqual(encodeModel(result.model));
    expect(again.report.depth).toMatchObject({ measure: undefined, unit: undefined });
    expect(await verify(dense, result.model, { plan })).toMatchObject({ passed: true, maxError: 0 });
  });

  it.each(['ratio', 'budget'] as const)(
    'goes before a %s of channels, and both are proved',
    async (target) => {
      const width = target === 'ratio' ? { ratio: 0.5 } : { budget: { macs: '50%' } };
      const result = await prune(dense, {
        ...{ depth: 0.25, data: data(), reconstruct: false, verify: 'full', ...width },
      });
      const gone = removedOf(result.report);
      const { macs, budgets, verification } = result.report;
      expect(gone).toHaveLength(1);
      const kept = new Map([...result.plan.kept].map(([{ name }, channels]) => [name, channels]));
      expect(kept.size).toBe(3);
      const expected = await run(runtime, masked(silenced(dense, gone), kept));
      const got = await run(runtime, result.model);
      got.flat().forEach((y, i) => expect(y).toBeCloseTo(expected.flat()[i]!, 5));
      expect(macs.pruned).toBeLessThanOrEqual(0.5 * macs.dense + (target === 'ratio' ? 0.2 * macs.dense : 0));
      if (target === 'budget') expect(budgets).toMatchObject([{ dense: macs.dense, reached: macs.pruned }]);
      const plan: unknown = JSON.parse(JSON.stringify(result.planFile('0')));
      const proof = await verify(dense, result.model, { plan });
      expect(proof).toMatchObject({ passed: true, level: 'full' });
      expect(proof.compared).toBe(verification!.compared);
      expect(encodeModel((await prune(dense, { plan })).model)).toEqual(encodeModel(result.model));
    },
  );

  it('removes no channels for a budget that it meets', async () => {
    const { report } = await prune(dense, { depth: 0.5, budget: { macs: '90%' }, data: data() });
    expect(report.groups.every(({ kept, size }) => kept === size)).toBe(true);
    expect(report.budgets).toMatchObject([{ text: 'macs=90%', reached: report.macs.pruned }]);
    expect(report.macs.pruned).toBeLessThan(0.9 * report.macs.dense);
  });

  it('takes blocks, scores of similarity, and filters', async () => {
    const layers = transformer(['attention', 'mlp', 'attention', 'mlp']);
    const random = randomGenerator(3);
    const noise = (...dims: number[]) => ({
      data: Float32Array.from({ length: dims.reduce((a, b) => a * b) }, () => normal(random)),
      dims,
    });
    const batch = { input: noise(1, length, 5), mask: noise(length, length) };
    const source = {
      description: 'one example',
      // eslint-disable-next-line @typescript-eslint/require-await -- batches are read asynchronously elsewhere
      async *[Symbol.asyncIterator]() {
        const inputs = Object.fromEntries(
          Object.entries(batch).map(([name, tensor]) => [name, { ...tensor, dtype: 'float32' as const }]),
        );
        yield { inputs, size: 1, valid: 1 };
      },
    };
    const options = { depth: 0.5, depthScore: 'similarity', depthUnit: 'block', data: source } as const;
    const { report } = await prune(layers, options);
    const [first, second, third, fourth] = report.depth!.branches;
    expect(report.depth).toMatchObject({ unit: 'block', measure: 'similarity', data: 'one example' });
    expect([first, second, third, fourth].map((branch) => branch!.block)).toEqual([0, 0, 1, 1]);
    expect(first!.removed).toBe(second!.removed);
    expect(third!.removed).toBe(!first!.removed);
    expect(first!.removed).toBe(first!.score! < third!.score!);

    const kept = await prune(layers, {
      ...options,
      depthUnit: 'branch',
      ignore: ['sum0', 'in1', 'q2'],
    }).catch((error: unknown) => error);
    expect(kept).toMatchObject({ code: 'nothing-to-prune' });
    const only = await prune(layers, { ...options, depthUnit: 'branch', only: ['in*'] });
    expect(only.report.depth!.branches.map(({ score }) => score !== undefined)).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  it.each([
    [{ depth: 0.5 }, 'residual branches are scored on data; give data'],
    [{ depth: 1.5, data: data() }, 'invalid depth: 1.5; use a number between 0 and 1'],
    [
      { depth: 0.5, depthScore: 'size', data: data() },
      "invalid depthScore: 'size'; use one of loss, similarity",
    ],
    [
      { depth: 0.5, depthUnit: 'layer', data: data() },
      "invalid depthUnit: 'layer'; use one of branch, block",
    ],
    [{ depth: 0.5, plan: { version: 1, factors: [] }, data: data() }, 'depth and a plan exclude each other'],
    [
      { depth: 0.5, budget: { latency: '50%' }, data: data() },
      "depth can't be chosen together with a budget",
    ],
    [
      { depth: 0.5, ratio: 0.5, roundTo: 'auto', data: data() },
      "depth can't be chosen together with round to auto",
    ],
    [
      { plan: { version: 1, branches: [{ node: 'sum9', input: 1 }], factors: [] } },
      "invalid plan: input 1 of 'sum9'",
    ],
    [
      { plan: { version: 1, branches: [{ node: 'sum0' }], factors: [] } },
      'invalid plan: branches[0].input is',
    ],
    [{ plan: { version: 1, branches: 3, factors: [] } }, 'invalid plan: branches is 3; give a list'],
    [{}, 'give exactly one of ratio, budget and plan'],
  ])('refuses %o', async (options, message) => {
    await expect(prune(dense, options as Parameters<typeof prune>[1])).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(message) as string,
    });
  });

  it('says why a model without residual branches has none', async () => {
    await expect(prune(transformer([]), { depth: 0.5, data: data() })).rejects.toMatchObject({
      code: 'nothing-to-prune',
      message: 'no residual branch can be removed; no sum adds what is computed from its other input',
    });
  });

  it('is proved again only for the branches that are gone', async () => {
    const result = await prune(dense, { depth: 0.25, data: data() });
    const [gone] = removedOf(result.report);
    const other = (gone! + 1) % 4;
    const plan = {
      ...result.planFile('0'),
      branches: [{ node: `sum${other}`, input: other % 2 === 0 ? 1 : 0 }],
    };
    expect(await verify(dense, result.model, { plan })).toMatchObject({ passed: false });
    expect(await verify(dense, dense, { plan: result.planFile('0') })).toMatchObject({ passed: false });
  });
});

describe('a quarter of the blocks', () => {
  it.each(['branch', 'block'] as const)(
    'of vit_tiny, by %s, passes the proof of every value',
    async (depthUnit) => {
      const model = await loadModel(new URL('../../models/trained/vit_tiny.onnx', import.meta.url));
      const options = { depth: 0.25, depthUnit, verify: 'full', data: { path: 'random', limit: 4 } } as const;
      const { report } = await prune(model, options);
      expect(report.depth!.branches.map(({ block }) => block)).toHaveLength(8);
      expect(removedOf(report)).toHaveLength(2);
      expect(report.verification).toMatchObject({ passed: true, failure: undefined });
      expect(report.verification!.compared).toBeGreaterThan(100);
      expect(report.verification!.maxError).toBeLessThan(1e-6);
    },
  );

  it.each(['similarity', 'loss'] as const)('of bert_small, by %s, with channels, too', async (depthScore) => {
    const model = fillTopology(readTopology('bert_small'));
    const { report } = await prune(model, {
      ...{ depth: 0.25, depthScore, ratio: 0.3, data: { path: 'random', limit: 4 } },
      ...{ reconstruct: false, verify: 'full' },
    });
    expect(removedOf(report)).toHaveLength(2);
    expect(report.verification).toMatchObject({ passed: true, failure: undefined });
    expect(report.macs.pruned).toBeLessThan(0.75 * report.macs.dense);
  });
});
