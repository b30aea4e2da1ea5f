/** What the engine makes of a malformed file: a pruned model, or a PruneError. */
import { PruneError } from '../../src/errors.js';
import { prune } from '../../src/api.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { malformedFile } from '../oracles/malformed.js';

export interface MalformedOutcome {
  readonly kind: string;
  /** `pruned`, or the code of the error. */
  readonly result: string;
  /** Set if it was any other error: a finding. */
  readonly uncaught?: string;
}

export async function checkMalformed(seed: number, runtime: Runtime): Promise<MalformedOutcome> {
  const { kind, bytes } = malformedFile(seed);
  try {
    await prune(bytes, { ratio: 0.5, runtime });
    return { kind, result: 'pruned' };
  } catch (error) {
    if (error instanceof PruneError && error.code !== 'internal') {
      const isOneLine = !error.message.includes('\n');
      return { kind, result: error.code, ...(!isOneLine && { uncaught: `several lines: ${error.message}` }) };
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { kind, result: 'uncaught', uncaught: text };
  }
}
