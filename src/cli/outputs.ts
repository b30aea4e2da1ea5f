import { realpath } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { PruneError } from '../errors.js';

/** A file that a command is to write, and the option that named it. */
export interface Target {
  readonly option: string;
  /** `-` is stdout. */
  readonly path: string;
  readonly kind: 'model' | 'text';
}

/** The value of `--json` without a file. */
export const stdout = '-';

/**
 * Refuses targets before the long work: those that can't be written, that are an input, or that are one file.
 * @throws PruneError `write` or `invalid-option`
 */
export async function checkTargets(
  targets: readonly (Target | undefined)[],
  inputs: readonly string[],
): Promise<void> {
  const taken = new Map<string, string>();
  for (const path of inputs) taken.set(await canonical(path), 'the input');
  for (const target of targets) {
    if (!target || target.path === stdout) continue;
    const { option, path, kind } = target;
    if (kind === 'text' && extname(path) === '.onnx')
      throw new PruneError(
        'invalid-option',
        `invalid ${option}: '${path}' is named as a model; use another name`,
      );
    const file = await canonical(path);
    const other = taken.get(file);
    if (other !== undefined)
      throw new PruneError('invalid-option', `invalid ${option}: '${path}' is ${other}; use another path`);
    taken.set(file, `the file of ${option}`);
    const { checkWritable } = await import('../files/atomic-file.js');
    await checkWritable(path);
  }
}

/** Writes text to a file, atomically, or to stdout. */
export async function writeText(path: string, text: string): Promise<void> {
  if (path === stdout) process.stdout.write(text);
  else {
    const { writeAtomic } = await import('../files/atomic-file.js');
    await writeAtomic(path, new TextEncoder().encode(text));
  }
}

export async function writeJson(path: string, value: unknown): Promise<void> {
  const { toJsonText } = await import('../report/json.js');
  await writeText(path, toJsonText(value));
}

async function canonical(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}
