import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { nodeRuntime } from '../../src/runtime/node.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { model, node, value } from '../shapes/build-model.js';

const runtime = await nodeRuntime();
const twice = encodeModel(
  model({ nodes: [node('Add', ['x', 'x'], ['y'])], inputs: [value('x', [3])], outputs: [value('y', [3])] }),
);

test('runs a model', async () => {
  const session = await runtime.load(twice);
  const { y } = await session.run({ x: runtime.tensor('float32', Float32Array.of(1, 2, 3), [3]) });
  expect([...(y!.data as Float32Array)]).toEqual([2, 4, 6]);
  await session.release();
});

test('says which onnxruntime it is', () => {
  expect(runtime.name).toBe('onnxruntime-node');
  expect(runtime.version).toMatch(/^\d+\.\d+/);
});

test('what is no model is refused with one line', async () => {
  const broken = runtime.load(Uint8Array.of(1, 2, 3));
  await expect(broken).rejects.toMatchObject({ code: 'runtime' });
  await expect(broken).rejects.toThrow(/^onnxruntime can't load the model: [^\n]+$/);
});

test('a run that fails is a PruneError too', async () => {
  const session = await runtime.load(twice);
  const run = session.run({ x: runtime.tensor('float32', new Float32Array(4), [4]) });
  await expect(run).rejects.toMatchObject({
    code: 'runtime',
    message: expect.stringMatching(/^onnxruntime can't run/) as string,
  });
  await session.release();
});

test('a missing provider says what to install', async () => {
  const load = runtime.load(twice, { provider: 'cuda' });
  const outcome = await load.then(
    () => 'available',
    (error: unknown) => error,
  );
  if (outcome === 'available') return; // a machine with CUDA: nothing to refuse
  expect(outcome).toMatchObject({ code: 'runtime' });
  expect((outcome as Error).message).toMatch(/ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node$/);
});

test('profiles every node of a model with its provider', async () => {
  const bytes = new Uint8Array(await readFile('models/trained/resnet20_bn.onnx'));
  const input = runtime.tensor('float32', new Float32Array(784), [1, 1, 28, 28]);
  const nodes = await runtime.profile(bytes, { input }, { optimization: 'disabled' });
  expect(nodes.filter(({ opType }) => opType === 'Conv')).toHaveLength(21);
  expect(new Set(nodes.map(({ provider }) => provider))).toEqual(new Set(['CPUExecutionProvider']));
  expect(nodes.every(({ microseconds, name }) => microseconds >= 0 && name !== '')).toBe(true);
});
