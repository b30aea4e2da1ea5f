import { beforeAll, expect, test } from 'vitest';
import type { InferenceSession } from 'onnxruntime-common';
import { encodeModel } from '../../src/onnx/codec.js';
import { floatTensor, floatsOf, integerTensor, integersOf, rawTensor } from '../../src/onnx/values.js';
import { inputSpecs, randomInputs } from '../../src/runtime/inputs.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { fromRuntime, toRuntime } from '../../src/runtime/tensors.js';
import { model, node, value } from '../shapes/build-model.js';

const runtime = await nodeRuntime();
let session: InferenceSession;

beforeAll(async () => {
  const inputs = [
    value('image', ['batch', 3, 'height', 8]),
    value('ids', ['batch', 5], 'int64'),
    value('mask', ['batch'], 'bool'),
    value('half', [2, 3], 'float16'),
  ];
  const nodes = inputs.map(({ name }) => node('Identity', [name], [`${name}_out`]));
  const outputs = inputs.map(({ name, ...rest }) => ({ name: `${name}_out`, ...rest }));
  session = await runtime.load(encodeModel(model({ nodes, inputs, outputs })));
});

test('symbols of the leading axis take the batch, others 1, the same symbol the same size', () => {
  const shapes = (options: Parameters<typeof inputSpecs>[1]) =>
    Object.fromEntries(inputSpecs(session, options).map(({ name, shape }) => [name, shape]));
  expect(shapes({ batch: 4 })).toEqual({ image: [4, 3, 1, 8], ids: [4, 5], mask: [4], half: [2, 3] });
  expect(shapes({ shapes: { image: [2, 3, 8, 8] } })).toMatchObject({
    image: [2, 3, 8, 8],
    ids: [2, 5],
    mask: [2],
  });
});

test('feeds are in range, reproducible, and fit the session', async () => {
  const specs = inputSpecs(session, { batch: 3 });
  const feeds = randomInputs(runtime, specs, 1);
  const { ids_out: ids, image_out: image } = await session.run(feeds);
  expect([...(ids!.data as BigInt64Array)].every((id) => id === 0n || id === 1n)).toBe(true);
  expect(new Set(ids!.data as BigInt64Array).size).toBe(2);
  expect(image!.dims).toEqual([3, 3, 1, 8]);
  expect(randomInputs(runtime, [...specs].reverse(), 1).image!.data).toEqual(feeds.image!.data);
  expect(randomInputs(runtime, specs, 2).image!.data).not.toEqual(feeds.image!.data);
});

test('shapes that do not fit are refused', () => {
  expect(() => inputSpecs(session, { shapes: { picture: [1] } })).toThrow(
    /^unknown input in shape: picture; the model's inputs are image, ids, mask, half$/,
  );
  expect(() => inputSpecs(session, { shapes: { ids: [1] } })).toThrow(/rank 1; the model says \[batch, 5\]/);
  expect(() => inputSpecs(session, { batch: 0 })).toThrow(/^invalid batch: 0/);
});

test('tensors go to onnxruntime and back, misaligned ones too', () => {
  const floats = floatTensor('f', [1.5, -2, 0.25], [3]);
  expect([...floatsOf(fromRuntime('f', toRuntime(runtime, floats)))]).toEqual([1.5, -2, 0.25]);
  const integers = integerTensor('i', [3, -4], [2, 1], 'int64');
  const padded = new Uint8Array([9, ...integers.data.bytes()]).subarray(1);
  const misaligned = rawTensor('i', 'int64', [2, 1], padded);
  const back = fromRuntime('i', toRuntime(runtime, misaligned));
  expect(back).toMatchObject({ name: 'i', dtype: 'int64', dims: [2, 1] });
  expect(integersOf(back)).toEqual([3, -4]);
  expect(() => toRuntime(runtime, { ...floats, dtype: 'bfloat16' })).toThrow(/can't be fed/);
});
