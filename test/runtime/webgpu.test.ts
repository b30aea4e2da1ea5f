import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { inputSpecs, randomInputs } from '../../src/runtime/inputs.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { assertProvider } from '../../src/runtime/providers.js';

// Chromium ships SwiftShader, a Vulkan driver in software. The loader reads the variable when the first device is asked for.
const drivers = [
  process.env.VK_ICD_FILENAMES ?? '',
  '/usr/lib/chromium/vk_swiftshader_icd.json',
  '/usr/lib/chromium-browser/vk_swiftshader_icd.json',
];
const loaders = [
  '/usr/lib/x86_64-linux-gnu/libvulkan.so.1',
  '/usr/lib/aarch64-linux-gnu/libvulkan.so.1',
  '/usr/lib64/libvulkan.so.1',
];
const driver = drivers.find((path) => path !== '' && existsSync(path));
const missing =
  driver === undefined
    ? 'no vk_swiftshader_icd.json'
    : loaders.some((path) => existsSync(path))
      ? ''
      : 'no libvulkan.so.1';
const title = missing === '' ? '' : ` (skipped: ${missing}; install chromium and libvulkan1)`;

// A driver in software shares the processor with whatever else runs.
const timeout = 900_000;

test.skipIf(missing !== '')(`webgpu computes what the cpu computes${title}`, { timeout }, async () => {
  process.env.VK_ICD_FILENAMES = driver;
  const runtime = await nodeRuntime();
  const bytes = new Uint8Array(await readFile('models/trained/resnet20.onnx'));
  const reference = await runtime.load(bytes);
  const feeds = randomInputs(runtime, inputSpecs(reference), 1);
  const expected = (await reference.run(feeds)).logits!.data as Float32Array;
  const session = await runtime.load(bytes, { provider: 'webgpu' });
  const actual = (await session.run(feeds)).logits!.data as Float32Array;
  const scale = Math.max(...expected.map(Math.abs));
  for (const [i, logit] of actual.entries())
    expect(Math.abs(logit - expected[i]!)).toBeLessThan(1e-3 * scale);
  const use = assertProvider(await runtime.profile(bytes, feeds, { provider: 'webgpu' }), 'webgpu');
  expect(use.computeShare).toBe(1);
});
