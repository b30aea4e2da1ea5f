import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nodeRuntime } from '../../src/runtime/node.js';
import { symbolicRecipes } from '../oracles/symbolic-graph.js';
import { checkSymbolic } from './check-symbolic.js';

const runtime = await nodeRuntime();

/** A bounded run; `scripts/fuzz.mjs` is the long one. */
it('graphs with symbolic lengths compute the same at every length without what is removed from them', async () => {
  let [pruned, sizes] = [0, 0];
  await fc.assert(
    fc.asyncProperty(symbolicRecipes, async (recipe) => {
      const outcome = await checkSymbolic(recipe, { runtime });
      expect(outcome.problem).toBeUndefined();
      if (outcome.pruned > 0) pruned++;
      sizes += outcome.sizes;
    }),
    { numRuns: 25, seed: 1 },
  );
  // Graphs in which nothing can go, or that run at one size only, would pass unseen.
  expect(pruned).toBeGreaterThan(15);
  expect(sizes).toBeGreaterThan(2 * pruned);
});
