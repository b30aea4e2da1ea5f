import { expect, it } from 'vitest';
import { requireProvider } from '../../src/index.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { probeProvider } from '../../src/runtime/probe.js';
import type { Runtime } from '../../src/runtime/runtime.js';

it('lets the CPU pass without a look', async () => {
  await requireProvider('cpu', { runtime: undefined as unknown as Runtime });
});

it('refuses a provider that onnxruntime silently leaves for the CPU', async () => {
  const real = await nodeRuntime();
  const silent = Object.assign(Object.create(real) as Runtime, {
    profile: (...[model, feeds]: Parameters<Runtime['profile']>) => real.profile(model, feeds),
  });
  await expect(probeProvider(silent, 'cuda')).rejects.toMatchObject({
    code: 'runtime',
    message: expect.stringContaining('ran none of the compute nodes (CPUExecutionProvider did)') as string,
  });
});
