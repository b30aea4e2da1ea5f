import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readModel, writeModel } from '../../src/files/model-file.js';
import { blockBytes } from '../../src/onnx/bytes.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf, rawTensor } from '../../src/onnx/values.js';
import { graph, model, node } from '../onnx/build.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onnx-prune-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const count = (3 * blockBytes) / 4;

function withWeight(value: number): Model {
  const bytes = new Uint8Array(new Float32Array(count).fill(value).buffer);
  return model(
    graph([node('Relu', ['x'], ['y'])], ['x'], ['y'], [rawTensor('w', 'float32', [count], bytes)]),
  );
}

const stateOf = (at: string) =>
  Object.fromEntries(
    readdirSync(at)
      .filter((name) => !name.endsWith('.tmp'))
      .map((name) => [name, readFileSync(join(at, name)).toString('base64')]),
  );

/**
 * Replaces `m.onnx` in a process of its own, by a model whose weight comes to a halt in its last block: then it says
 * so and waits to be killed.
 */
async function killWhileWriting(mode: string): Promise<void> {
  const root = join(import.meta.dirname, '..', '..', 'dist');
  const script = `
    import { writeSync } from 'node:fs';
    const { readModel, writeModel } = await import(${JSON.stringify(join(root, 'files', 'model-file.js'))});
    const old = await readModel(${JSON.stringify(join(folder, 'm.onnx'))});
    const [w] = old.graph.initializers;
    const data = {
      storage: 'raw',
      byteLength: ${3 * blockBytes},
      bytes: () => new Uint8Array(${3 * blockBytes}).fill(1),
      read: (from, to) => {
        if (from > 0) {
          writeSync(1, 'half');
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        }
        return new Uint8Array(to - from).fill(1);
      },
    };
    const next = { ...old, graph: { ...old.graph, initializers: [{ ...w, data }] } };
    await writeModel(next, ${JSON.stringify(join(folder, 'm.onnx'))}, { externalData: '${mode}' });
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise<NodeJS.Signals | null>((resolve) =>
    child.on('close', (_, signal) => resolve(signal)),
  );
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGKILL');
  expect(await closed).toBe('SIGKILL');
}

describe('a write that is killed', () => {
  it.each([
    ['never', ['m.onnx']],
    ['always', ['m.onnx', 'm.onnx.data']],
  ] as const)('leaves the old model, external data: %s', async (mode, names) => {
    const path = join(folder, 'm.onnx');
    await writeModel(withWeight(3), path, { externalData: mode });
    const before = stateOf(folder);
    expect(Object.keys(before)).toEqual(names);
    await killWhileWriting(mode);
    expect(stateOf(folder)).toEqual(before);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).not.toEqual([]);

    // What was left doesn't hinder the next one, which takes the old data with it.
    await writeModel(withWeight(4), path, { externalData: mode });
    const [w] = (await readModel(path)).graph.initializers;
    expect(floatsOf(w!).every((x) => x === 4)).toBe(true);
    const left = Object.keys(stateOf(folder));
    expect(left).toEqual(mode === 'never' ? ['m.onnx'] : ['m.onnx', 'm.onnx.2.data']);
  });

  it('leaves the old model when it is aborted', async () => {
    const path = join(folder, 'm.onnx');
    await writeModel(withWeight(3), path);
    const before = stateOf(folder);
    const signal = AbortSignal.abort();
    await expect(writeModel(withWeight(4), path, { signal })).rejects.toMatchObject({ code: 'aborted' });
    expect(stateOf(folder)).toEqual(before);
    expect(readdirSync(folder)).toEqual(['m.onnx']);
  });
});

/** A file system of 20 MiB, where the system lets us mount one. */
function smallDisk(at: string): (() => void) | undefined {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', at], { stdio: 'ignore' });
  } catch {
    return undefined;
  }
  return () => execFileSync('umount', [at]);
}

const mayMount = await (async () => {
  const at = await mkdtemp(join(tmpdir(), 'onnx-prune-'));
  const unmount = smallDisk(at);
  unmount?.();
  await rm(at, { recursive: true });
  return unmount !== undefined;
})();

describe.runIf(mayMount)('a disk that is full', () => {
  it.each(['never', 'always'] as const)('leaves the old model, external data: %s', async (mode) => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    const unmount = smallDisk(disk)!;
    try {
      const path = join(disk, 'm.onnx');
      await writeModel(withWeight(3), path, { externalData: mode });
      const before = stateOf(disk);
      // 12 of 20 MiB are taken.
      await expect(writeModel(withWeight(4), path, { externalData: mode })).rejects.toMatchObject({
        code: 'write',
      });
      expect(stateOf(disk)).toEqual(before);
      expect(readdirSync(disk)).toEqual(Object.keys(before));
    } finally {
      unmount();
    }
  });
});

/** Every system has `ulimit` but Windows: a file that grows past the limit is an error, as on a full disk. */
describe.runIf(process.platform !== 'win32')('a file that may not grow', () => {
  it.each(['never', 'always'])('leaves the old model, whole command, external data: %s', (mode) => {
    const root = join(import.meta.dirname, '..', '..');
    const output = join(folder, 'm.onnx');
    const prune = (ratio: string, limit: string) =>
      spawnSync(
        'bash',
        ['-c', `ulimit -f ${limit}; exec "$@"`, 'bash', process.execPath, join(root, 'dist', 'cli', 'main.js'), join(root, 'models', 'trained', 'resnet20.onnx'), '--ratio', ratio, '--verify', 'shapes', '--external-data', mode, '-o', output],
        { encoding: 'utf8' },
      ); // prettier-ignore
    expect(prune('0.5', 'unlimited').status).toBe(0);
    const before = stateOf(folder);
    // In KiB; the result has about 900.
    const refused = prune('0.1', '512');
    expect(refused.stderr).toContain("can't write");
    expect(refused.status).toBe(8);
    expect(stateOf(folder)).toEqual(before);
    expect(readdirSync(folder)).toEqual(Object.keys(before));
  });
});
