import fc from 'fast-check';
import { expect, it } from 'vitest';
import { axisRules } from '../../src/axes/rules/index.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { kindNames, recipes, withoutStep } from '../oracles/random-graph/index.js';
import { checkGraph } from './check-graph.js';

const runtime = await nodeRuntime();

/** So many graphs, however long they take; `scripts/fuzz.mjs` is the long run. */
const graphs = 60;

it('random graphs compute the same without what is removed from them', { timeout: 1_200_000 }, async () => {
  const touched = new Set<string>();
  let [pruned, unproved] = [0, 0];
  await fc.assert(
    fc.asyncProperty(recipes, async (recipe) => {
      const outcome = await checkGraph(recipe, { runtime });
      if (outcome.pruned > 0) pruned++;
      if (outcome.proof === 'nothing') unproved++;
      for (const op of outcome.touched) touched.add(op);
      expect(outcome.problem).toBeUndefined();
    }),
    { numRuns: graphs, seed: 1 },
  );
  // Graphs in which nothing can go would pass unseen.
  expect(pruned).toBeGreaterThan(20);
  // An output that is zero whatever the weights is rare, and the oracle compares it all the same.
  expect(unproved).toBeLessThan(pruned / 10);
  expect(touched.size).toBeGreaterThan(30);
});

it('every axis rule has a step in random graphs, or a reason why not', () => {
  const without = [...axisRules.keys()].filter((op) => !kindNames.includes(op));
  expect(without.toSorted()).toEqual(Object.keys(withoutStep).toSorted());
});
