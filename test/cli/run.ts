import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export const root = join(import.meta.dirname, '..', '..');
const program = join(root, 'dist', 'cli', 'main.js');

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command line (`npm test` builds it first) as a user would. */
export function run(args: readonly string[], cwd: string = root): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { cwd, encoding: 'utf8', env: { ...process.env, DEBUG: '' } },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

export function trained(name: string): string {
  return join(root, 'models', 'trained', `${name}.onnx`);
}

/** A folder that is removed after the tests of the file. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-prune-test-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
