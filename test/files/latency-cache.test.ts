import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLatencyFile } from '../../src/files/latency-cache.js';

let folder: string;
const setting = { provider: 'cpu', runtime: 'test 1', threads: undefined };
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'onnx-prune-latency-'))));
afterEach(() => rm(folder, { recursive: true, force: true }));

it('remembers between runs, by setting', async () => {
  const file = await openLatencyFile(setting, folder);
  expect(file.get('conv 8,8')).toBeUndefined();
  file.set('conv 8,8', 1.5);
  await file.flush();
  expect((await openLatencyFile(setting, folder)).get('conv 8,8')).toBe(1.5);
  for (const other of [
    { ...setting, provider: 'cuda' },
    { ...setting, runtime: 'test 2' },
    { ...setting, threads: 2 },
    { ...setting, gpu: 'NVIDIA T4' },
  ])
    expect((await openLatencyFile(other, folder)).get('conv 8,8')).toBeUndefined();
});

it('keeps what another process wrote meanwhile', async () => {
  const [a, b] = [await openLatencyFile(setting, folder), await openLatencyFile(setting, folder)];
  a.set('a', 1);
  b.set('b', 2);
  await a.flush();
  await b.flush();
  const both = await openLatencyFile(setting, folder);
  expect([both.get('a'), both.get('b')]).toEqual([1, 2]);
});

it('starts anew from a damaged file, and writes nothing without news', async () => {
  const file = await openLatencyFile(setting, folder);
  await writeFile(file.path, '{"milliseconds": {"x": "fast", "y"');
  const again = await openLatencyFile(setting, folder);
  await again.flush();
  expect(await readFile(file.path, 'utf8')).toContain('"fast"');
  again.set('a', 1);
  await again.flush();
  expect((await openLatencyFile(setting, folder)).get('a')).toBe(1);
});

it('does without a folder that cannot be written', async () => {
  const blocked = join(folder, 'file');
  await writeFile(blocked, '');
  const file = await openLatencyFile(setting, join(blocked, 'below'));
  file.set('a', 1);
  await file.flush();
  expect(file.get('a')).toBe(1);
});
