import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The README's programs run as they stand: against the built package, on a model of the repository. */
const root = join(import.meta.dirname, '..');
const programs = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```js\n([\s\S]*?)```/g)].map(
  ([, code]) => code!,
);
// Inside the package, so that its own name resolves to it.
const inside = join(root, '.tmp');
let folder: string;

beforeAll(() => {
  mkdirSync(inside, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), 'onnx-prune-readme-'));
  copyFileSync(join(root, 'models', 'trained', 'resnet20.onnx'), join(folder, 'model.onnx'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function runProgram(name: string, code: string): Promise<string> {
  const path = join(inside, `${name}-${process.pid}.mjs`);
  writeFileSync(path, code);
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [path], { cwd: folder });
    return stdout;
  } finally {
    rmSync(path);
  }
}

describe('the README', () => {
  it('has a library example of at most ten lines of code, which runs', async () => {
    expect(programs[0]!.split('\n').filter((line) => line.trim()).length).toBeLessThanOrEqual(10);
    const stdout = await runProgram('first', programs[0]!);
    expect(stdout).toMatch(
      /^\d+ -> \d+ parameters\n\d+ tensors agree within [\d.e-]+\n[\d.]+ times as fast\n$/,
    );
    expect(existsSync(join(folder, 'small.onnx'))).toBe(true);
  });

  it('has other examples, which run too', async () => {
    expect(programs.length).toBeGreaterThan(1);
    for (const [i, code] of programs.slice(1).entries()) await runProgram(`other-${i}`, code);
  });
});
