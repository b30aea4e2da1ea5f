import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { openData } from '../../src/data/files.js';

vi.mock('sharp', () => {
  throw new Error("Cannot find package 'sharp'");
});

it('says what to install where sharp is missing, and only for images', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'onnx-prune-data-'));
  try {
    await mkdir(join(folder, 'cat'));
    await writeFile(join(folder, 'cat', 'a.png'), '');
    const inputs = [{ name: 'x', dtype: 'float32' as const, dims: ['n', 3, 8, 8] }];
    await expect(openData(folder, inputs)).rejects.toThrow(
      "images are decoded by 'sharp', which can't be loaded; npm install sharp",
    );
    expect((await openData('random', inputs)).count).toBe(32);
  } finally {
    await rm(folder, { recursive: true });
  }
});
