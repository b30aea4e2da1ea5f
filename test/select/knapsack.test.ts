import { describe, expect, it } from 'vitest';
import { removedScore, type PruningGroup } from '../../src/groups/group.js';
import { resolveSelection } from '../../src/options/resolve.js';
import type { SelectionOptions } from '../../src/options/selection.js';
import { keptCount } from '../../src/plan/plan.js';
import { integerBelow, randomGenerator } from '../../src/random/random.js';
import { upperBound } from '../../src/select/knapsack/bound.js';
import { curvesAt } from '../../src/select/knapsack/curves.js';
import { solveGreedily } from '../../src/select/knapsack/greedy.js';
import { solveWithHighs } from '../../src/select/knapsack/highs.js';
import {
  fits,
  highest,
  loadOf,
  valueOf,
  type Levels,
  type Problem,
} from '../../src/select/knapsack/problem.js';
import { selectKnapsack } from '../../src/select/knapsack.js';
import { select, type Selection } from '../../src/select/select.js';
import { branches, chain, transformer, type BuiltNetwork } from '../cost/network.js';

type Random = () => number;

/** Sizes of 2 to 7, values that grow slower and slower, limits from tight to loose. */
function randomItems(random: Random, count: number): Problem['items'] {
  return Array.from({ length: count }, () => {
    const size = 2 + integerBelow(6, random);
    const scores = Float64Array.from({ length: size }, () => random() ** 2 + 0.01).sort((a, b) => b - a);
    const scale = 10 ** (2 * random() - 1);
    // At times only every second count is allowed, as with an alignment.
    const step = random() < 0.25 ? 2 : 1;
    const levels = Int32Array.from({ length: size }, (_, i) => i + 1).filter(
      (k) => k % step === 0 || k === size,
    );
    const sums = [0];
    for (const score of scores) sums.push(sums.at(-1)! + score * scale);
    return { levels, values: Float64Array.from(levels, (level) => sums[level]!) };
  });
}

/** Costs as networks have them: each group alone, times the next, squared, and times two others. */
function productProblem(random: Random): Problem {
  const items = randomItems(random, 2 + integerBelow(3, random));
  const limits = random() < 0.3 ? 2 : 1;
  const costs = Array.from({ length: limits }, () => {
    const terms: { coefficient: number; variables: number[] }[] = [];
    const add = (...variables: number[]): void => {
      terms.push({ coefficient: random() * 10, variables });
    };
    items.forEach((_, i) => {
      add(i);
      if (i > 0) add(i - 1, i);
      if (random() < 0.4) add(i, i);
      if (random() < 0.3) add(integerBelow(items.length, random), i);
    });
    return (kept: Int32Array): number =>
      terms.reduce(
        (sum, { coefficient, variables }) => sum + variables.reduce((x, v) => x * kept[v]!, coefficient),
        0,
      );
  });
  const most = Int32Array.from(items, ({ levels }) => levels.at(-1)!);
  const least = Int32Array.from(items, ({ levels }) => levels[0]!);
  const bounds = costs.map((cost) => cost(least) + (0.05 + 0.9 * random()) * (cost(most) - cost(least)));
  return { items, limits, load: (kept) => Float64Array.from(costs, (cost, m) => cost(kept) / bounds[m]!) };
}

/** No two groups share a term. */
function linearProblem(random: Random): Problem {
  const items = randomItems(random, 3 + integerBelow(2, random));
  const prices = items.map(() => 0.2 + random());
  const cost = (kept: ArrayLike<number>): number =>
    prices.reduce((sum, price, i) => sum + price * kept[i]!, 0);
  const least = cost(items.map(({ levels }) => levels[0]!));
  const most = cost(items.map(({ levels }) => levels.at(-1)!));
  const limit = least + (0.05 + 0.9 * random()) * (most - least);
  return { items, limits: 1, load: (kept) => Float64Array.of(cost(kept) / limit) };
}

/** The best of all choices. */
function bruteForce(problem: Problem): number {
  const top = highest(problem);
  const at: Levels = new Int32Array(top.length);
  let best = -Infinity;
  for (;;) {
    if (fits(problem, at)) best = Math.max(best, valueOf(problem, at));
    let i = 0;
    while (i < at.length && at[i] === top[i]) at[i++] = 0;
    if (i === at.length) return best;
    at[i]!++;
  }
}

describe('on small instances with costs that multiply', () => {
  const problems = Array.from({ length: 200 }, (_, i) => productProblem(randomGenerator(`product ${i}`)));
  const optima = problems.map(bruteForce);

  it('the greedy search keeps at least 99 % of the optimum in each of 200', () => {
    problems.forEach((problem, i) => {
      const at = solveGreedily(problem);
      expect(fits(problem, at)).toBe(true);
      expect(valueOf(problem, at) / optima[i]!, `instance ${i}`).toBeGreaterThanOrEqual(0.99);
    });
  });

  it('the bound is none that a plan exceeds', () => {
    problems.forEach((problem, i) => {
      expect(upperBound(problem), `instance ${i}`).toBeGreaterThanOrEqual(optima[i]! * (1 - 1e-9));
    });
  });

  it('HiGHS improves on the smallest plan as far', async () => {
    for (const [i, problem] of problems.slice(0, 40).entries()) {
      const at = await solveWithHighs(problem, new Int32Array(problem.items.length));
      expect(fits(problem, at)).toBe(true);
      expect(valueOf(problem, at) / optima[i]!, `instance ${i}`).toBeGreaterThanOrEqual(0.99);
    }
  });
});

describe('where costs are linear', () => {
  it('HiGHS finds the optimum', async () => {
    for (let i = 0; i < 60; i++) {
      const problem = linearProblem(randomGenerator(`linear ${i}`));
      const at = await solveWithHighs(problem, new Int32Array(problem.items.length));
      expect(fits(problem, at)).toBe(true);
      expect(valueOf(problem, at), `instance ${i}`).toBeCloseTo(bruteForce(problem), 9);
    }
  });
});

describe('the separable costs', () => {
  it('are exact for changes of one item, measured costs included', () => {
    for (const bump of [0, 0.01]) {
      const levels = Int32Array.from({ length: 40 }, (_, i) => i + 1);
      const problem: Problem = {
        items: [0, 1].map(() => ({ levels, values: Float64Array.from(levels) })),
        limits: 1,
        load: ([a, b]) => Float64Array.of((a! * a! + 3 * a! * b!) / 1000 + bump * Math.ceil(b! / 8)),
      };
      const reference = Int32Array.of(7, 21);
      const curves = curvesAt(problem, reference);
      const base = loadOf(problem, reference)[0]!;
      for (const level of [0, 6, 20, 33, 39]) {
        expect(curves[0]![0]![level]! + base).toBeCloseTo(loadOf(problem, Int32Array.of(level, 21))[0]!, 9);
        expect(curves[1]![0]![level]! + base).toBeCloseTo(loadOf(problem, Int32Array.of(7, level))[0]!, 9);
      }
    }
  });
});

/** Scores without a pattern, one group important and another one not. */
function scoresOf({ grouping }: BuiltNetwork, seed = 1): Map<PruningGroup, Float64Array> {
  const random = randomGenerator(seed);
  return new Map(
    grouping.groups.map((group, i) => [
      group,
      Float64Array.from({ length: group.size }, () => (1 + (i % 3)) * random()),
    ]),
  );
}

function run(
  network: BuiltNetwork,
  scores: ReadonlyMap<PruningGroup, Float64Array>,
  options: SelectionOptions,
): Promise<Selection> {
  return selectKnapsack(network.grouping, network.cost, scores, resolveSelection(options));
}

describe('the selection', () => {
  it.each(['greedy', 'highs'] as const)(
    'keeps budgets and the channels with the highest scores (%s)',
    async (solver) => {
      const network = chain(40, 30);
      const scores = scoresOf(network);
      const selection = await run(network, scores, {
        budget: { macs: '50%', params: '60%' },
        select: 'knapsack',
        solver,
      });
      const count = keptCount(selection.plan);
      expect(network.cost.macs(count)).toBeLessThanOrEqual(0.5 * network.cost.macs());
      expect(network.cost.parameters(count)).toBeLessThanOrEqual(0.6 * network.cost.parameters());
      for (const [group, kept] of selection.plan.kept) {
        const own = scores.get(group)!;
        const chosen = new Set(kept);
        const lowest = Math.min(...[...kept].map((i) => own[i]!));
        own.forEach((score, i) => chosen.has(i) || expect(score).toBeLessThanOrEqual(lowest));
      }
      expect(selection.knapsack!.retained).toBeLessThanOrEqual(selection.knapsack!.bound);
    },
  );

  it('retains more than a uniform ratio does under the same budget', async () => {
    for (const network of [chain(40, 30), branches(20, 30, 40)]) {
      const scores = scoresOf(network);
      const options = { budget: { macs: '40%' } };
      const retained = (kept: ReadonlyMap<PruningGroup, Int32Array>): number =>
        network.grouping.groups.reduce((sum, group) => {
          const indices = kept.get(group) ?? Int32Array.from({ length: group.size }, (_, i) => i);
          return indices.reduce((own, index) => own + scores.get(group)![index]!, sum);
        }, 0);
      const ours = await run(network, scores, options);
      const uniform = select(network.grouping, network.cost, scores, resolveSelection(options));
      expect(retained(ours.plan.kept)).toBeGreaterThan(1.02 * retained(uniform.plan.kept));
    }
  });

  it('keeps to multiples and minima', async () => {
    const network = chain(40, 48);
    const { groups } = await run(network, scoresOf(network), {
      budget: { macs: '30%' },
      roundTo: 8,
      minChannels: 16,
    });
    for (const { kept } of groups) {
      expect(kept % 8).toBe(0);
      expect(kept).toBeGreaterThanOrEqual(16);
    }
  });

  it('does not mind scores below zero, and is the same for scores moved by a constant', async () => {
    const network = chain(40, 30);
    const options = { budget: { macs: '50%' } };
    const scores = scoresOf(network);
    const lowest = Math.min(...[...scores.values()].map((own) => Math.min(...own)));
    const moved = (by: number) =>
      new Map([...scores].map(([group, own]) => [group, own.map((score) => score - by)]));
    const [a, b] = await Promise.all(
      [moved(lowest), moved(lowest + 5)].map((own) => run(network, own, options)),
    );
    expect(b!.groups.map(({ kept }) => kept)).toEqual(a!.groups.map(({ kept }) => kept));
  });

  it('weighs what is left by its own scores where some channels went in earlier steps', async () => {
    const network = chain(40, 30);
    const scores = scoresOf(network);
    const [group] = network.grouping.groups;
    // Worth nothing, or gone: the rest is worth the same.
    const without = (value: number) =>
      new Map([...scores].map(([own, list]) => [own, own === group ? list.slice().fill(value, 0, 8) : list]));
    const [a, b] = await Promise.all(
      [without(0), without(removedScore)].map((own) => run(network, own, { budget: { macs: '50%' } })),
    );
    expect(Math.min(...[...scores.values()].flatMap((own) => [...own]))).toBeGreaterThan(0);
    expect(b!.groups.map(({ kept }) => kept)).toEqual(a!.groups.map(({ kept }) => kept));
    expect(b!.knapsack!.retained).toBeCloseTo(a!.knapsack!.retained, 12);
  });

  it('keeps channels that have to stay, which score infinitely', async () => {
    const network = chain(20, 20);
    const scores = scoresOf(network);
    const [group] = network.grouping.groups;
    scores.get(group!)!.fill(Infinity, 0, 15);
    const { plan, knapsack } = await run(network, scores, {
      budget: { macs: '70%' },
    });
    const kept = plan.kept.get(group!) ?? Int32Array.from({ length: 20 }, (_, i) => i);
    for (let channel = 0; channel < 15; channel++) expect(kept).toContain(channel);
    expect(knapsack!.retained).toBeGreaterThan(0.5);
    expect(knapsack!.retained).toBeLessThan(1);
  });

  it('tells how near it came, and what the next step up would be', async () => {
    const network = transformer(4, 8, 32, 64);
    const { budgets, plan } = await run(network, scoresOf(network), {
      budget: { params: '75%' },
      roundTo: 16,
    });
    const [budget] = budgets;
    expect(budget!.reached).toBe(network.cost.parameters(keptCount(plan)));
    expect(budget!.reached).toBeLessThanOrEqual(budget!.limit);
    expect(budget!.nextAbove).toBeGreaterThan(budget!.limit);
  });

  it('tells of a budget that is within reach if groups may lose more', async () => {
    const network = chain(40, 30);
    const least = (maxRatio?: number) =>
      run(network, scoresOf(network), {
        budget: { macs: '3%' },
        maxRatio,
        select: 'knapsack',
      });
    await expect(least()).rejects.toThrow(/or let groups lose more than 90 % \(reaches \d\.\d %\)/);
    await expect(least(1)).resolves.toBeDefined();
  });

  it('refuses what it cannot do', async () => {
    const network = chain();
    const ask = (options: SelectionOptions) => run(network, scoresOf(network), options);
    await expect(ask({ ratio: 0.5 })).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(ask({ budget: { macs: '50%' }, ratios: { conv1: 0.5 } })).rejects.toMatchObject({
      code: 'invalid-option',
    });
    await expect(ask({ budget: { macs: '0.1%' } })).rejects.toMatchObject({ code: 'budget' });
    await expect(ask({ budget: { macs: '50%' }, only: ['fc.bias'] })).rejects.toMatchObject({
      code: 'budget',
    });
  });
});
