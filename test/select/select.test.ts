import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PruningGroup } from '../../src/groups/group.js';
import { integerTensor } from '../../src/onnx/values.js';
import { keptCount } from '../../src/plan/plan.js';
import { prunableGroups } from '../../src/select/eligible.js';
import { resolveSelection } from '../../src/options/resolve.js';
import type { SelectionOptions } from '../../src/options/selection.js';
import type { Scope } from '../../src/select/options.js';
import { fastMultiples } from '../../src/select/multiples.js';
import { memberPattern } from '../../src/select/ranking.js';
import { select, type Selection } from '../../src/select/select.js';
import {
  branches,
  chain,
  groupOf,
  grouped,
  Network,
  transformer,
  type BuiltNetwork,
} from '../cost/network.js';

/** Scores that grow with the channel, the same in each group unless `offset` says otherwise. */
function ascending(
  { grouping }: BuiltNetwork,
  offset: (group: PruningGroup) => number = () => 0,
): Map<PruningGroup, Float64Array> {
  return new Map(
    grouping.groups.map((group) => [
      group,
      Float64Array.from({ length: group.size }, (_, i) => offset(group) + (i + 1) / group.size),
    ]),
  );
}

function run(network: BuiltNetwork, options: SelectionOptions, scores = ascending(network)): Selection {
  return select(network.grouping, network.cost, scores, resolveSelection(options));
}

function keptOf(selection: Selection, group: PruningGroup): number {
  return selection.groups.find((entry) => entry.group === group)!.kept;
}

function reasonOf(selection: Selection, group: PruningGroup): string | undefined {
  return selection.groups.find((entry) => entry.group === group)!.reason;
}

describe('local scope', () => {
  it('removes the rounded share of each group, lowest scores first', () => {
    const network = chain(8, 6);
    const scores = ascending(network);
    const first = groupOf(network, 'conv1.weight');
    scores.set(first, Float64Array.of(5, 1, 4, 1, 3, 9, 2, 7));
    const { plan } = run(network, { ratio: 0.25 }, scores);
    expect([...plan.kept.get(first)!]).toEqual([0, 2, 4, 5, 6, 7]);
    expect([...plan.kept.get(groupOf(network, 'conv2.weight'))!]).toEqual([2, 3, 4, 5]);
  });

  it('breaks ties by index', () => {
    const network = chain(8, 6);
    const first = groupOf(network, 'conv1.weight');
    const scores = ascending(network).set(first, new Float64Array(8));
    expect([...run(network, { ratio: 0.5 }, scores).plan.kept.get(first)!]).toEqual([4, 5, 6, 7]);
  });

  it('never empties a group', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.13, max: 0.999, noNaN: true }), (ratio) => {
        for (const { kept, group } of run(branches(), { ratio }).groups) {
          expect(kept).toBeGreaterThanOrEqual(1);
          expect(kept).toBe(Math.max(1, group.size - Math.round(group.size * ratio)));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('removes nothing at ratio 0', () => {
    expect(run(chain(), { ratio: 0 }).plan.kept.size).toBe(0);
  });
});

describe('global and isomorphic scope', () => {
  it('ranks all channels together', () => {
    const network = chain(8, 6);
    const second = groupOf(network, 'conv2.weight');
    const scores = ascending(network, (group) => (group === second ? 10 : 0));
    const selection = run(network, { ratio: 0.5, scope: 'global', maxRatio: 1 }, scores);
    // 7 of 14: all but one of the first group.
    expect(keptOf(selection, groupOf(network, 'conv1.weight'))).toBe(1);
    expect(keptOf(selection, second)).toBe(6);
  });

  it('leaves at least a tenth of a group by default', () => {
    const network = chain(20, 20);
    const scores = ascending(network, (group) => (group.name === 'conv2.weight' ? 10 : 0));
    const selection = run(network, { ratio: 0.5, scope: 'global' }, scores);
    expect(keptOf(selection, groupOf(network, 'conv1.weight'))).toBe(2);
    expect(keptOf(selection, groupOf(network, 'conv2.weight'))).toBe(18);
  });

  it('compares only groups of one pattern', () => {
    const network = branches(4, 6, 8);
    const { grouping } = network;
    const [left, right, mix] = ['left', 'right', 'mix'].map((name) => groupOf(network, `${name}.weight`)) as [
      PruningGroup,
      PruningGroup,
      PruningGroup,
    ];
    expect(memberPattern(grouping, left)).toBe(memberPattern(grouping, right));
    expect(memberPattern(grouping, left)).not.toBe(memberPattern(grouping, mix));
    const scores = ascending(network, (group) => (group === mix ? 10 : group === right ? 5 : 0));
    const selection = run(network, { ratio: 0.5, scope: 'isomorphic', maxRatio: 1 }, scores);
    expect(keptOf(selection, mix)).toBe(4);
    // 5 of 10, of which the left branch can give 3.
    expect([keptOf(selection, left), keptOf(selection, right)]).toEqual([1, 4]);
  });
});

describe('budgets', () => {
  it.each(['local', 'global', 'isomorphic'] as const)(
    'are met as near as one channel allows (%s)',
    (scope) => {
      const network = branches(16, 24, 32);
      const { cost } = network;
      for (const share of [0.9, 0.5, 0.25]) {
        const limit = share * cost.macs();
        const selection = run(network, { budget: { macs: share }, scope });
        const count = keptCount(selection.plan);
        expect(cost.macs(count)).toBeLessThanOrEqual(limit);
        // A smaller ratio is over the budget, and so is any group's step towards it.
        const above = run(network, { ratio: selection.ratio - 1e-9, scope });
        expect(cost.macs(keptCount(above.plan))).toBeGreaterThan(limit);
        above.groups.forEach(({ group, kept }, i) => {
          if (kept === selection.groups[i]!.kept) return;
          const step = cost.macs((factor) => (factor === group.factor ? kept : count(factor)));
          expect(step).toBeGreaterThan(limit);
        });
      }
    },
  );

  it('hold for parameters and bytes too', () => {
    const network = branches(16, 24, 32);
    const parameters = network.cost.parameters(keptCount(run(network, { budget: { params: 0.5 } }).plan));
    expect(parameters / network.cost.parameters()).toBeLessThanOrEqual(0.5);
    expect(parameters / network.cost.parameters()).toBeGreaterThan(0.45);
    const byBytes = run(network, { budget: { bytes: 0.5 } });
    expect(byBytes.groups).toEqual(run(network, { budget: { params: 0.5 } }).groups);
  });

  it('take shares, percentages and absolute numbers', () => {
    const network = chain(16, 16);
    const half = run(network, { budget: { macs: 0.5 } }).groups;
    expect(run(network, { budget: { macs: '50%' } }).groups).toEqual(half);
    expect(run(network, { budget: { macs: network.cost.macs() / 2 } }).groups).toEqual(half);
    const absolute = run(network, { budget: { params: '1.5k' } });
    expect(network.cost.parameters(keptCount(absolute.plan))).toBeLessThanOrEqual(1500);
    expect(network.cost.parameters(keptCount(absolute.plan))).toBeGreaterThan(1300);
    expect(run(network, { budget: { bytes: '6KB' } }).groups).toEqual(absolute.groups);
  });

  it('can hold for several measures', () => {
    const network = chain(16, 16);
    const count = keptCount(run(network, { budget: { macs: 0.6, params: 0.3 } }).plan);
    expect(network.cost.macs(count)).toBeLessThanOrEqual(0.6 * network.cost.macs());
    expect(network.cost.parameters(count)).toBeLessThanOrEqual(0.3 * network.cost.parameters());
  });

  it('remove nothing from a model that is small enough', () => {
    expect(run(chain(), { budget: { macs: '100%' } }).plan.kept.size).toBe(0);
  });

  it('say what can be reached when they cannot be met', () => {
    expect(() => run(chain(), { budget: { macs: '1%' } })).toThrow(
      /budget macs=1% can't be met: pruning reaches [\d.]+ %/,
    );
    expect(() => run(transformer(), { budget: { params: '10%' } })).toThrow(/prune the residual stream too/);
    expect(() => run(chain(), { budget: { macs: '1%' } })).not.toThrow(/residual/);
  });

  it('call parameters params too', () => {
    const network = chain(16, 16);
    const selection = run(network, { budget: { params: 0.5 } });
    expect(selection.groups).toEqual(run(network, { budget: { parameters: 0.5 } }).groups);
    expect(selection.budgets[0]).toMatchObject({ measure: 'parameters', text: 'params=0.5' });
  });

  it.each([
    [{}, /invalid budget: \{\}; use an object such as/],
    [{ macs: '' }, /invalid budget\.macs: ''; use a share/],
    [{ watts: 3 }, /unknown option 'watts' of budget; use macs, parameters, bytes, latency$/],
    [{ macs: 0 }, /invalid budget\.macs: 0; use a share/],
    [{ macs: '0' }, /invalid budget: macs=0; write macs/],
    [{ macs: -3 }, /invalid budget\.macs: -3/],
    [{ macs: 'x%' }, /invalid budget\.macs: 'x%'/],
    [{ macs: '3Q' }, /invalid budget\.macs: '3Q'/],
  ])('refuse %j', (budget, message) => {
    expect(() => run(chain(), { budget: budget })).toThrow(message);
  });
});

describe('which factor carries the ratio', () => {
  it('is inside the groups of a grouped convolution, and the channel of a depthwise one', () => {
    const network = grouped(3, 4, 10);
    const selection = run(network, { ratio: 0.5 });
    const groups = network.grouping.groups.find(({ grouped: isGrouped, size }) => isGrouped && size === 3)!;
    expect(keptOf(selection, groups)).toBe(3);
    expect(reasonOf(selection, groups)).toContain('grouped convolution');
    expect(keptOf(selection, groupOf(network, 'grouped.weight', 1))).toBe(2);
    expect(keptOf(selection, groupOf(network, 'depthwise.weight'))).toBe(5);
    const half = network.cost.byNode(keptCount(selection.plan));
    const node = network.nodes.findIndex(({ name }) => name === 'expand');
    expect(half[node]!.macs).toBe(network.cost.byNode()[node]!.macs / 2);
  });

  it.each([
    ['head-dims', 4, 4],
    ['heads', 2, 8],
    ['both', 3, 6],
    ['none', 4, 8],
  ] as const)('is for attention as asked: %s', (attention, heads, dims) => {
    const network = transformer(4, 8, 10, 20);
    const selection = run(network, { ratio: 0.5, attention });
    for (const { group, kept } of selection.groups) {
      if (group.attention === 'heads') expect(kept).toBe(heads);
      if (group.attention === 'head-dims') expect(kept).toBe(dims);
    }
    expect(keptOf(selection, groupOf(network, 'up.weight', 1))).toBe(10);
  });

  it('leaves what statistics are taken over, unless asked for', () => {
    const network = transformer();
    const stream = groupOf(network, 'embed.weight', 1);
    expect(stream.normalizedBy.length).toBeGreaterThan(0);
    const without = run(network, { ratio: 0.5 });
    expect(keptOf(without, stream)).toBe(10);
    expect(reasonOf(without, stream)).toContain("'ln1' takes statistics");
    expect(keptOf(run(network, { ratio: 0.5, residualStream: true }), stream)).toBe(5);
  });

  it('is the largest of plain siblings, and never two of them', () => {
    const net = new Network();
    const x = net.linear(net.input('x', 1, 4), 'in', 24);
    for (const [name, ...dims] of [
      ['nest', 1, 3, 8],
      ['flat', 1, 24],
    ] as const)
      // prettier-ignore
      net.weights.set(name, integerTensor(name, dims));
    const nested = net.add('Reshape', 'nesting', [x, 'nest'], [1, 3, 8]);
    const flat = net.add('Reshape', 'flattening', [net.relu(nested), 'flat'], [1, 24]);
    const network = net.build(net.linear(flat, 'out', 5));
    expect(network.grouping.groups.map(({ size }) => size)).toEqual([3, 8]);
    const selection = run(network, { ratio: 0.5 });
    expect(selection.groups.map(({ kept }) => kept)).toEqual([3, 4]);
    expect(selection.groups[0]!.reason).toContain('nested with');
  });
});

describe('constraints', () => {
  it('ignore and only take globs over node and tensor names', () => {
    const network = branches();
    const touched = (options: SelectionOptions): string[] =>
      [...run(network, { ratio: 0.5, ...options }).plan.kept.keys()].map(({ name }) => name);
    expect(touched({})).toEqual(['left.weight', 'right.weight', 'mix.weight']);
    expect(touched({ ignore: ['left*'] })).toEqual(['right.weight', 'mix.weight']);
    // mix consumes both branches and produces its own group.
    expect(touched({ only: ['skip'] })).toEqual(['mix.weight']);
    expect(touched({ only: ['left.bias', 'fc.*'], ignore: ['skip'] })).toEqual(['left.weight']);
    expect(() => touched({ ignore: ['lefft*'] })).toThrow("ignore 'lefft*' matches no node or tensor");
  });

  it('a star crosses slashes', () => {
    const net = new Network();
    const x = net.conv(net.input('x', 1, 3, 8, 8), '/layer1/0/conv', 8, 3);
    const network = net.build(net.head(net.relu(net.conv(x, '/layer2/0/conv', 8, 3)), 'fc', 5));
    for (const glob of ['/layer1/*', '/layer1/**', '*layer1*', '/layer1/0/conv'])
      expect(run(network, { ratio: 0.5, ignore: [glob] }).plan.kept.size).toBe(1);
  });

  it('ratios of single groups hold in every scope', () => {
    const network = branches(4, 6, 8);
    for (const scope of ['local', 'global', 'isomorphic'] as const) {
      const selection = run(network, { ratio: 0.25, ratios: { 'left.weight': 0.75, 'right*': 0 }, scope });
      expect(keptOf(selection, groupOf(network, 'left.weight'))).toBe(1);
      expect(keptOf(selection, groupOf(network, 'right.weight'))).toBe(6);
      expect(keptOf(selection, groupOf(network, 'mix.weight'))).toBe(6);
    }
  });

  it('minChannels and maxRatio bound every group', () => {
    const network = branches(4, 6, 8);
    const kept = (options: SelectionOptions): number[] =>
      run(network, options).groups.map((group) => group.kept);
    expect(kept({ ratio: 0.9, minChannels: 3 })).toEqual([3, 3, 3]);
    expect(kept({ ratio: 0.9, maxRatio: 0.5 })).toEqual([2, 3, 4]);
    expect(kept({ ratio: 0.9, scope: 'global', maxRatio: 0.5 })).toEqual([2, 3, 4]);
  });

  it('the minimum holds for the axis, not for a factor of it', () => {
    const network = transformer(4, 8);
    const dims = network.grouping.groups.filter(({ attention }) => attention === 'head-dims');
    const selection = run(network, { ratio: 0.9, minChannels: 12 });
    for (const group of dims) expect(keptOf(selection, group)).toBe(3);
  });

  it.each([
    [{ ratio: 1 }, 'invalid ratio: 1'],
    [{ ratio: NaN }, 'invalid ratio: NaN'],
    [{ ratio: 0.5, maxRatio: 2 }, 'invalid maxRatio: 2; use a number in [0, 1]'],
    [{ ratio: 0.5, roundTo: 0 }, 'invalid roundTo: 0; use a whole number from 1'],
    [{ ratio: 0.5, minChannels: 1.5 }, 'invalid minChannels: 1.5; use a whole number from 1'],
    [{ ratio: 0.5, scope: 'some' as 'local' }, "invalid scope: 'some'; use one of local, global, isomorphic"],
    [{ ratio: 0.5, ratios: { 'left*': -1 } }, 'invalid ratios.left*: -1; use a number in [0, 1)'],
    [{}, 'give either a ratio or a budget'],
    [{ ratio: 0.5, budget: { macs: 0.5 } }, 'give either a ratio or a budget'],
  ])('refuses %o', (options: SelectionOptions, message) => {
    expect(() => run(branches(), options)).toThrow(message);
  });

  it('says why nothing is left to prune', () => {
    const network = chain();
    expect(() => run(network, { ratio: 0.5, ignore: ['*'] })).toThrow(/nothing to prune: .*is ignored/);
    expect(() => run(network, { ratio: 0.01 })).toThrow(/nothing to prune: its share at ratio 0.01/);
    expect(() => run(network, { ratio: 0.5 }, new Map())).toThrow('the criterion has nothing to score it by');
  });

  it('names the groups that are worth scoring', () => {
    const { grouping, cost } = transformer();
    const { carriers, reasons } = prunableGroups(grouping, cost, resolveSelection({}));
    expect([...carriers, ...reasons.keys()]).toHaveLength(grouping.groups.length);
    expect(carriers.every(({ attention }) => attention !== 'heads')).toBe(true);
  });
});

describe('alignment', () => {
  it('keeps multiples on every axis', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.25, max: 0.95, noNaN: true }),
        fc.constantFrom<Scope>('local', 'global', 'isomorphic'),
        (ratio, scope) => {
          const { groups } = run(branches(24, 40, 64), { ratio, scope, roundTo: 8 });
          for (const { kept } of groups) expect(kept % 8).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes the nearest multiple, of two the larger', () => {
    const kept = (ratio: number): number[] =>
      run(chain(100, 20), { ratio, roundTo: 8 }).groups.map((g) => g.kept);
    expect(kept(0.5)).toEqual([48, 8]); // 50, 10
    expect(kept(0.4)).toEqual([64, 16]); // 60 is as near to 56, 12 to 8
    expect(kept(0.05)).toEqual([96, 16]); // 95, 19
  });

  it('acts on the product: head dims are rounded by what they are multiplied with', () => {
    const network = transformer(12, 64, 32, 64);
    const selection = run(network, { ratio: 0.15, roundTo: 64 });
    for (const { group, kept } of selection.groups)
      if (group.attention === 'head-dims') expect(kept).toBe(48); // 54 wanted; 12 · 48 = 9 · 64
  });

  it('counts all groups of a convolution together', () => {
    const network = grouped(4, 8, 16);
    const selection = run(network, { ratio: 0.5, roundTo: 8 });
    expect(keptOf(selection, groupOf(network, 'grouped.weight', 1))).toBe(4); // 4 · 4
  });

  it('leaves a group whole that has no multiple, and says so', () => {
    const network = transformer(1, 64, 32, 100);
    const selection = run(network, { ratio: 0.15, roundTo: 64 });
    for (const { group, kept } of selection.groups)
      if (group.attention === 'head-dims') expect(kept).toBe(64);
    const few = chain(8, 64);
    const kept = run(few, { ratio: 0.5, roundTo: 16 });
    expect(kept.groups.map((group) => group.kept)).toEqual([8, 32]);
    expect(kept.groups[0]!.reason).toContain('not every axis can be a multiple of 16');
  });

  it('fits heads and head dims to each other', () => {
    const network = transformer(6, 16, 32, 64);
    const selection = run(network, { ratio: 0.5, attention: 'both', roundTo: 8 });
    const heads = selection.groups.find(({ group }) => group.attention === 'heads')!.kept;
    for (const { group, kept } of selection.groups)
      if (group.attention === 'head-dims') expect((heads * kept) % 8).toBe(0);
  });

  it('stays aligned within a budget', () => {
    const network = branches(24, 40, 64);
    const selection = run(network, { budget: { macs: 0.5 }, roundTo: 8 });
    expect(network.cost.macs(keptCount(selection.plan))).toBeLessThanOrEqual(0.5 * network.cost.macs());
    for (const { kept } of selection.groups) expect(kept % 8).toBe(0);
  });
});

describe('multiples by width', () => {
  const wide = chain(64, 64);

  it('round wide axes, and leave narrow ones and small shares alone', () => {
    const rule = fastMultiples('cpu', 0.3);
    expect([8, 23, 24, 64].map(rule)).toEqual([1, 1, 8, 8]);
    expect(fastMultiples('cpu', 0.1)(32)).toBe(1);
    expect(fastMultiples('webgpu', 0.3)(64)).toBe(4);
  });

  it('hold where they are asked for', () => {
    const scores = ascending(wide);
    const settings = resolveSelection({ ratio: 0.3, roundTo: 'fast' });
    const first = groupOf(wide, 'conv1.weight');
    const multiples = fastMultiples('cpu', 0.3);
    expect(keptOf(select(wide.grouping, wide.cost, scores, { ...settings, multiples }), first)).toBe(48);
    expect(keptOf(run(wide, { ratio: 0.3 }), first)).toBe(45);
    expect(() => select(wide.grouping, wide.cost, scores, settings)).toThrow('only prune can tell');
  });
});
