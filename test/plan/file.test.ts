import { describe, expect, it } from 'vitest';
import { planFromFile, planToFile } from '../../src/plan/file.js';
import type { Plan } from '../../src/plan/plan.js';
import { branches, groupOf, Network, transformer } from '../cost/network.js';

const sha256 = 'ab'.repeat(32);
const network = branches(4, 6, 8);
const { grouping } = network;
const left = groupOf(network, 'left.weight');
const plan: Plan = { kept: new Map([[left, Int32Array.of(0, 3)]]) };

describe('plan file', () => {
  it('lists factors and every use of a tensor that is cut', () => {
    expect(planToFile(grouping, plan, { sha256 })).toEqual({
      version: 1,
      model: { sha256 },
      factors: [{ id: left.id, size: 4, kept: [0, 3], notation: `left.weight: ${left.id} #3 #3 #3` }],
      tensors: [
        { graph: '', node: 'left', input: 1, initializer: 'left.weight', axes: { 0: [0, 3] } },
        { graph: '', node: 'left', input: 2, initializer: 'left.bias', axes: { 0: [0, 3] } },
        // Of the concatenated axis the right branch's six channels stay.
        {
          graph: '',
          node: 'mix',
          input: 1,
          initializer: 'mix.weight',
          axes: { 1: [0, 3, 4, 5, 6, 7, 8, 9] },
        },
      ],
      weightsChanged: false,
      nodes: { added: [], removed: [] },
    });
  });

  it('names nodes by index where their name is empty or not unique', () => {
    const net = new Network();
    const x = net.add('Relu', 'twin', [net.input('x', 1, 4)], [1, 4]);
    const inner = net.linear(x, '', 6);
    const built = net.build(net.linear(inner, 'out', 3));
    const group = built.grouping.groups[0]!;
    const file = planToFile(built.grouping, { kept: new Map([[group, Int32Array.of(1)]]) }, { sha256 });
    expect(file.tensors.map(({ node }) => node)).toEqual([1, 'out']);
  });

  it('survives JSON', () => {
    const details = { sha256, weightsChanged: true, addedNodes: ['a'], removedNodes: ['b'] };
    const json: unknown = JSON.parse(JSON.stringify(planToFile(grouping, plan, details)));
    expect(json).toMatchObject({ weightsChanged: true, nodes: { added: ['a'], removed: ['b'] } });
    expect(planFromFile(json, grouping, sha256)).toEqual(plan);
    const built = transformer();
    const all: Plan = {
      kept: new Map(built.grouping.groups.map((group) => [group, Int32Array.of(1, group.size - 1)])),
    };
    const written: unknown = JSON.parse(JSON.stringify(planToFile(built.grouping, all, { sha256 })));
    expect(planFromFile(written, built.grouping)).toEqual(all);
  });

  it('needs no more than version and factors, and drops factors that stay whole', () => {
    const json = { version: 1, factors: [{ id: left.id, size: 4, kept: [0, 1, 2, 3] }] };
    expect(planFromFile(json, grouping).kept.size).toBe(0);
  });

  const factor = { id: left.id, size: 4, kept: [0, 3] };
  it.each([
    ['no plan', null, 'plan is null'],
    ['a list', [], 'plan is []'],
    ['another version', { version: 2, factors: [] }, 'version is 2; use version 1'],
    ['no factors', { version: 1 }, 'factors is undefined'],
    ['an unknown id', { version: 1, factors: [{ ...factor, id: 'g99' }] }, 'factors[0].id is "g99"'],
    ['a group twice', { version: 1, factors: [factor, factor] }, 'factors[1].id'],
    [
      'another size',
      { version: 1, factors: [{ ...factor, size: 5 }] },
      'factors[0].size is 5; the group has 4',
    ],
    ['nothing kept', { version: 1, factors: [{ ...factor, kept: [] }] }, 'factors[0].kept is []'],
    [
      'an index too large',
      { version: 1, factors: [{ ...factor, kept: [0, 4] }] },
      'factors[0].kept[1] is 4; use indices from 0 to 3',
    ],
    ['half an index', { version: 1, factors: [{ ...factor, kept: [0.5] }] }, 'factors[0].kept[0] is 0.5'],
    [
      'an index twice',
      { version: 1, factors: [{ ...factor, kept: [1, 1] }] },
      'factors[0].kept[1] is 1; sort',
    ],
    ['another model', { version: 1, model: { sha256: 'cd' }, factors: [] }, 'model.sha256 is "cd"'],
  ])('refuses %s', (_, json, message) => {
    expect(() => planFromFile(json, grouping, json && 'model' in json ? sha256 : undefined)).toThrow(
      `invalid plan: ${message}`,
    );
  });
});
