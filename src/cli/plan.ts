import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { PruneError } from '../errors.js';
import { isRecord } from './json-file.js';

/** What identifies a model in a plan file: the SHA-256 of its .onnx file, in hexadecimal. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new PruneError('invalid-file', `can't read '${path}' (${code}); check the path`, { cause });
  }
  return hash.digest('hex');
}

/**
 * Refuses a plan that was made for another file, or that doesn't say for which. Without a plan there is nothing to check.
 * @throws PruneError `invalid-option`
 */
export async function checkPlanModel(plan: unknown, path: string): Promise<void> {
  if (plan === undefined) return;
  const model = isRecord(plan) ? plan['model'] : undefined;
  const planned = isRecord(model) ? model['sha256'] : undefined;
  if (typeof planned !== 'string')
    throw new PruneError(
      'invalid-option',
      "the plan doesn't say which model it was made for (model.sha256); use a plan as prune --plan writes it",
    );
  const actual = await sha256OfFile(path);
  if (planned !== actual)
    throw new PruneError(
      'invalid-option',
      `the plan was made for another model than '${path}' (sha256 ${planned.slice(0, 12)}… against ${actual.slice(0, 12)}…); use the plan's own model`,
    );
}
