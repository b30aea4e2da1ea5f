import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { coverage } from '../../src/cost/coverage.js';
import { showAxis } from '../../src/axes/show.js';
import type { Grouping } from '../../src/groups/group.js';
import { resolveCriterion } from '../../src/criteria/resolve.js';
import { scoreGroups } from '../../src/criteria/score.js';
import { resolveSelection } from '../../src/options/resolve.js';
import { keptCount } from '../../src/plan/plan.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { select } from '../../src/select/select.js';
import { fillTopology, readTopology } from '../oracles/topology.js';

interface Counts {
  readonly macs: number;
  readonly weights: number;
}

/** Measured with Torch-Pruning 1.6. */
const reference = JSON.parse(
  readFileSync(new URL('../../models/topologies/torch-pruning-1.6-half.json', import.meta.url), 'utf8'),
) as Record<string, { input: number[]; dense: Counts; half: Counts }>;

const runtime = await nodeRuntime();

const convNets = [
  'resnet18',
  'resnet50',
  'resnext50_32x4d',
  'vgg16_bn',
  'densenet121',
  'mobilenet_v2',
  'mobilenet_v3_small',
  'googlenet',
  'efficientnet_b0',
  'shufflenet_v2_x1_0',
];
const transformers = ['convnext_tiny', 'vit_b_16', 'bert_small'];

describe('parity with Torch-Pruning at half the channels', () => {
  it.each([...convNets, ...transformers].filter((name) => name in reference))('%s', async (name) => {
    const { input, dense, half } = reference[name]!;
    const model = readTopology(name);
    const shapes = { [model.graph.inputs[0]!.name]: input };
    const { grouping, cost } = await analyze(model, { runtime, shapes });
    // Counts don't depend on which channels go, and the topologies have no weights.
    const scores = scoreGroups(grouping, resolveCriterion('random'));
    const residualStream = transformers.includes(name);
    const { plan } = select(grouping, cost, scores, resolveSelection({ ratio: 0.5, residualStream }));
    const count = keptCount(plan);
    expect(cost.macs()).toBe(dense.macs);
    expect(cost.weights()).toBe(dense.weights);
    expect(cost.macs(count)).toBe(half.macs);
    expect(cost.weights(count)).toBe(half.weights);
  });
});

/** One of each kind, reviewed when they change. */
const snapshots = ['resnet18', 'resnext50_32x4d', 'mobilenet_v3_small', 'shufflenet_v2_x1_0', 'vit_b_16', 'bert_small'];

/** One line a group: what a user would see removed together. */
function describeGroups({ groups, byFactor, analysis }: Grouping): string {
  const nameOf = (factor: Parameters<typeof byFactor.get>[0]): string =>
    byFactor.get(factor)?.id ?? String(factor.size);
  const lines = groups.map((group) => {
    const members = group.members.map(({ parameter, axis, role }) => {
      const expression = showAxis(analysis.system, parameter.axes[axis]!, nameOf);
      return `  ${parameter.source.name}[${axis}] ${role} ${expression}`;
    });
    const traits = [
      group.normalizedBy.length > 0 && 'normalized',
      group.attention,
      group.grouped && 'grouped',
    ].filter(Boolean);
    return [`${group.id} ×${group.size} ${traits.join(' ')}`.trim(), ...members].join('\n');
  });
  return `${lines.join('\n')}\n`;
}

describe('groups and coverage', () => {
  it.each([...convNets, ...transformers])('%s', async (name) => {
    const { grouping, cost } = await analyze(readTopology(name), { runtime });
    const isTransformer = transformers.includes(name);
    expect(coverage(grouping, cost).parameters).toBeGreaterThan(isTransformer ? 0.9 : 0.95);
    const without = coverage(grouping, cost, { residualStream: false });
    expect(without.parameters).toBeGreaterThan(isTransformer ? 0.6 : 0.95);
    if (snapshots.includes(name))
      await expect(describeGroups(grouping)).toMatchFileSnapshot(`../snapshots/groups/${name}.txt`);
  });
});

describe('pruned and proved', () => {
  it.each([
    ['shufflenet_v2_x1_0', {}],
    ['mobilenet_v3_small', { roundTo: 8 }],
    ['bert_small', { residualStream: true }],
    ['bert_small', { attention: 'both' }],
    ['mobilenet_v2', { scope: 'global' }],
  ] as const)('%s %j', async (name, options) => {
    const { report } = await prunePipeline(fillTopology(readTopology(name)), {
      runtime,
      ratio: 0.5,
      ...options,
    });
    expect(report.verification?.passed).toBe(true);
    expect(report.macs.pruned).toBeLessThan(0.75 * report.macs.dense);
  });
});
