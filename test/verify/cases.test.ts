import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { decodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { provePlan } from '../../src/pipeline/prove-plan.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import type { VerifyReport } from '../../src/verify/report.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const at = (name: string): URL => new URL(`../cases/${name}`, import.meta.url);
const read = async (name: string): Promise<Model> => decodeModel(await readFile(at(`${name}.onnx`)));

async function proofOf(dense: string, pruned: string): Promise<VerifyReport> {
  const plan = JSON.parse(await readFile(at(`proof/${dense}.json`), 'utf8')) as unknown;
  const analysis = await analyze(await read(`proof/${dense}`), { runtime });
  return provePlan(analysis, await read(`proof/${pruned}`), plan, { level: 'full' });
}

describe('a file that was damaged on purpose is refused', () => {
  it.each([
    ['two', 'two.missing', { kind: 'interface', message: "the outputs are 'y' instead of 'y', 'z'" }],
    ['two', 'two.swapped', { kind: 'interface', message: "the outputs are 'z', 'y' instead of 'y', 'z'" }],
    ['argmax', 'argmax.bad', { kind: 'value', value: 'k', op: 'ArgMin' }],
    ['tiny', 'tiny.bad', { kind: 'weight', value: 'W1' }],
    ['outlier', 'outlier.bad', { kind: 'value', value: 'h' }],
  ])('of %s: %s', async (dense, pruned, failure) => {
    expect(await proofOf(dense, pruned)).toMatchObject({ passed: false, failure });
  });

  it('and channels are judged on their own scale', async () => {
    const { failure } = await proofOf('outlier', 'outlier.bad');
    expect(failure?.message).toMatch(/in channel \d+ of axis 1/);
  });
});

describe('the right file passes', () => {
  it.each(['two', 'argmax', 'tiny', 'outlier'])('of %s', async (name) => {
    const report = await proofOf(name, `${name}.p`);
    expect(report.failure).toBeUndefined();
    expect(report.dead).toEqual([]);
    expect(report.outputs.every(({ proof }) => proof === 'compared')).toBe(true);
  });

  it('of tiny, with re-drawn weights only', async () => {
    const { redrawn, compared } = await proofOf('tiny', 'tiny.p');
    expect(redrawn).toEqual(['h', 'r', 'y']);
    expect(compared).toBe(3);
  });
});

it('prunes and proves a model whose values are nearly all behind a body', async () => {
  const { report } = await prunePipeline(await read('proof/nothing_to_fetch'), { runtime, ratio: 0.9 });
  expect(report.verification).toMatchObject({ passed: true, outputs: [{ name: 't66', proof: 'compared' }] });
});

describe('ops that onnxruntime does not know', () => {
  it.each(['trt_plugin_domain', 'trt_plugin_default_domain'])('at the end: %s', async (name) => {
    const { report } = await prunePipeline(await read(`custom-ops/${name}`), { runtime, ratio: 0.5 });
    expect(report.parameters.pruned).toBeLessThan(0.5 * report.parameters.dense);
    expect(report.verification).toMatchObject({ passed: true, dead: [] });
    // The plugin is the same node, and all that it reads was compared.
    for (const { proof, why } of report.verification!.outputs)
      expect([proof, why]).toEqual([
        'inputs',
        expect.stringMatching(/doesn't know op (TRT::)?EfficientNMS_TRT/),
      ]);
    expect(report.warnings).toEqual([expect.stringMatching(/left out of the proof/)]);
  });

  it('between layers: compared before and behind', async () => {
    const { report } = await prunePipeline(await read('custom-ops/custom_op_between'), {
      ...{ runtime, ratio: 0.5, verify: 'full' },
    });
    expect(report.verification).toMatchObject({ passed: true, outputs: [{ name: 'y', proof: 'compared' }] });
  });

  const taught = async (rule: Record<string, string>) =>
    prunePipeline(await read('custom-ops/custom_op_between'), { runtime, ratio: 0.5, axisRules: rule });

  it('are pruned through with a rule', async () => {
    const { report } = await taught({ 'my.domain::Act': '… -> …' });
    expect(report.groups).toHaveLength(2);
    expect(report.verification?.passed).toBe(true);
  });

  it.each([
    [{ 'my.domain::Act': 'a b ->' }, 'fits none of its nodes: input 0 has rank 4, the rule wants 2'],
    [{ 'my.domain::Act': 'a ( -> a' }, "invalid axis rule 'a ( -> a'"],
    [{ 'my.domain::Other': '… -> …' }, "the model has no op 'my.domain::Other'"],
  ])('refuse the rule %s', async (rule, message) => {
    await expect(taught(rule as unknown as Record<string, string>)).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining(message) as string,
    });
  });

  it('must be the same node in both models', async () => {
    const dense = await read('custom-ops/trt_plugin_domain');
    const analysis = await analyze(dense, { runtime });
    const { model, ...result } = await prunePipeline(dense, { runtime, ratio: 0.5 });
    const nodes = model.graph.nodes.map((node) => {
      const threshold = node.attributes.get('score_threshold');
      if (threshold?.type !== 'float') return node;
      return { ...node, attributes: new Map([...node.attributes, ['score_threshold', { ...threshold, value: 0.5 }]]) }; // prettier-ignore
    });
    const wrong = { ...model, graph: { ...model.graph, nodes } };
    const { failure } = await provePlan(analysis, wrong, result.planFile(''), { level: 'full' });
    expect(failure?.message).toMatch(/its attributes are others/);
  });
});
