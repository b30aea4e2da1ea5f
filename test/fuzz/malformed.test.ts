import { describe, expect, it } from 'vitest';
import { decodeModel } from '../../src/onnx/codec.js';
import { validateModel } from '../../src/onnx/validate.js';
import { PruneError } from '../../src/errors.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { malformedFile, malformedKinds } from '../oracles/malformed.js';
import { checkMalformed } from './check-malformed.js';

/** A bounded run of what `scripts/malformed.mjs` does with 2,000 files. */
describe('malformed files', () => {
  it('are decoded and checked, or refused in one line that names a remedy', () => {
    for (let seed = 0; seed < 15 * malformedKinds.length; seed++) {
      const { kind, bytes } = malformedFile(seed);
      try {
        validateModel(decodeModel(bytes));
      } catch (error) {
        expect(error, `file ${seed} (${kind})`).toBeInstanceOf(PruneError);
        expect((error as PruneError).message).toMatch(/^[^\n]+; [^\n]+$/);
        expect((error as PruneError).code).not.toBe('internal');
      }
    }
  });

  // A native crash would end this file's process, which fails the run; the script sees which file it was.
  it('are pruned, or refused on purpose', async () => {
    const runtime = await nodeRuntime();
    const results = new Set<string>();
    for (let seed = 0; seed < 4 * malformedKinds.length; seed++) {
      const { kind, result, uncaught } = await checkMalformed(seed, runtime);
      expect(uncaught, `file ${seed} (${kind})`).toBeUndefined();
      results.add(result);
    }
    expect(results).toContain('pruned');
    expect(results).toContain('invalid-file');
  });
});
