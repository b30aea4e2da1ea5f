import { expect, it } from 'vitest';
import { nodeRuntime } from '../../src/runtime/node.js';
import { huntMutant, mutants } from './mutants.js';

const runtime = await nodeRuntime();

// Every fourth; `scripts/mutants.mjs` tries all of them.
it.each(mutants.filter((_, i) => i % 4 === 0))(
  'random graphs notice a wrong rule of $op: $what',
  async (mutant) => {
    expect((await huntMutant(mutant, 40, runtime)).problem).toBeDefined();
  },
);
