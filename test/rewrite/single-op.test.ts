import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { axisRuleFamilies } from '../../src/axes/rules/index.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { attention, fused, untested } from '../oracles/fused-cases.js';
import { opCases, uncovered } from '../oracles/op-cases.js';
import { checkCase } from '../oracles/single-op.js';

/** Ops whose every axis is blocked: for Range by its rule, for the other since onnxruntime infers no shape for it. */
const neverPruned = new Set(['Range', 'MeanVarianceNormalization']);

const cases = { ...opCases, attention, fused };

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

it('has a generator for every axis rule', () => {
  const ruled = Object.values(axisRuleFamilies).flatMap((family) => Object.keys(family));
  const covered = new Set(Object.values(cases).flatMap((family) => Object.keys(family)));
  expect(ruled.filter((op) => !covered.has(op) && !(op in uncovered) && !(op in untested))).toEqual([]);
});

for (const [family, generators] of Object.entries(cases))
  describe(family, () => {
    it.each(Object.entries(generators))(
      '%s computes the same without what its rule removes',
      async (op, generator) => {
        let pruned = 0;
        await fc.assert(
          fc.asyncProperty(generator, fc.string({ minLength: 4 }), async (opCase, seed) => {
            const outcome = await checkCase(opCase, seed, runtime);
            pruned += outcome.pruned;
            expect(outcome.problem, JSON.stringify(opCase)).toBeUndefined();
          }),
          { numRuns: 25, seed: 1 },
        );
        // A rule that blocks everything would pass unseen.
        if (!neverPruned.has(op)) expect(pruned).toBeGreaterThan(0);
      },
    );
  });
