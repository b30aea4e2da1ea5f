import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { gpuNames } from '../../src/files/gpu-name.js';

const path = process.env['PATH'];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onnx-prune-gpu-'));
  process.env['PATH'] = folder;
});
afterEach(async () => {
  process.env['PATH'] = path;
  await rm(folder, { recursive: true, force: true });
});

async function install(script: string): Promise<void> {
  const file = join(folder, 'nvidia-smi');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}

it.skipIf(process.platform === 'win32')('is what nvidia-smi says', async () => {
  await install(
    '[ "$*" = "--query-gpu=name --format=csv,noheader" ] && echo "NVIDIA T4" && echo "NVIDIA L4"',
  );
  expect(await gpuNames()).toBe('NVIDIA T4\nNVIDIA L4');
});

it.skipIf(process.platform === 'win32')('is undefined where it fails or says nothing', async () => {
  await install('echo "no devices were found"; exit 6');
  expect(await gpuNames()).toBeUndefined();
  await install('exit 0');
  expect(await gpuNames()).toBeUndefined();
});

it('is undefined where there is no nvidia-smi', async () => {
  expect(await gpuNames()).toBeUndefined();
});
