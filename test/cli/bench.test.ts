import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';

const model = 'models/trained/resnet20.onnx';

/** Runs the program as a user does; `dist` is built before the tests. */
function run(...args: string[]): Promise<{ code: number | null; out: string; error: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['dist/cli/main.js', 'bench', ...args], {
      env: { ...process.env, ...(driver && { VK_ICD_FILENAMES: driver }) },
    });
    let [out, error] = ['', ''];
    child.stdout.on('data', (text: Buffer) => (out += text.toString()));
    child.stderr.on('data', (text: Buffer) => (error += text.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, error }));
  });
}

const driver = [
  process.env['VK_ICD_FILENAMES'] ?? '',
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
].find((path) => path !== '' && existsSync(path));
const loader = [
  '/usr/lib/x86_64-linux-gnu/libvulkan.so.1',
  '/usr/lib/aarch64-linux-gnu/libvulkan.so.1',
  '/usr/lib64/libvulkan.so.1',
].find((path) => existsSync(path));
const missing =
  driver === undefined ? 'no vk_swiftshader_icd.json' : loader === undefined ? 'no libvulkan.so.1' : '';

const quick = ['--runs', '2', '--warmup', '0'];

it('measures every batch size at every number of threads', async () => {
  const { code, out } = await run(model, model, ...quick, '--batch', '1,2', '--threads', '1,2', '--json');
  expect(code).toBe(0);
  const results = JSON.parse(out) as { threads: number; inputs: { input: number[] } }[];
  expect(results.map(({ threads, inputs }) => [inputs.input[0], threads])).toEqual([
    [1, 1],
    [1, 2],
    [2, 1],
    [2, 2],
  ]);
});

it('fails where a speedup is not reached, and says so', async () => {
  const { code, out, error } = await run(model, model, ...quick, '--min-speedup', '1000', '--profile');
  expect(code).toBe(9);
  expect(out).toMatch(/op +resnet20\.onnx|op +models/);
  expect(error).toMatch(/^error: .* as fast at .*less than 1000x; .*\n$/);
  expect((await run(model, model, ...quick, '--min-speedup', '0.000001')).code).toBe(0);
});

it('refuses a provider that is not there', async () => {
  const { code, error } = await run(model, model, ...quick, '--provider', 'cuda');
  expect([code, error.split('\n').length]).toEqual([7, 2]);
});

it.skipIf(missing !== '')(
  `runs on webgpu and tells where every node ran${missing && ` (skipped: ${missing}; install chromium and libvulkan1)`}`,
  async () => {
    const { code, out } = await run(model, '--runs', '1', '--warmup', '0', '--provider', 'webgpu');
    expect(code).toBe(0);
    expect(out).toMatch(/nodes of .*: \d+ on WebGpuExecutionProvider/);
  },
  180_000,
);
