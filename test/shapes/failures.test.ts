import { expect, test } from 'vitest';
import { encodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { readRefusal } from '../../src/shapes/failures.js';
import { inferShapes } from '../../src/shapes/shapes.js';
import { model, node, value } from './build-model.js';

const runtime = await nodeRuntime();

/** onnxruntime's own words for a model, so that an upgrade that changes them is noticed here. */
async function refusal(refused: Model) {
  const message = await runtime.load(encodeModel(refused)).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
  return readRefusal(message);
}

const parts = (
  op: string,
  dtype: 'float32' | 'float64' = 'float32',
  w: readonly number[] = [3, 3, 3, 3],
) => ({
  nodes: [node(op, ['x', 'w'], ['y'], {}, 'the node')],
  inputs: [value('x', [1, 3, 4, 4], dtype), value('w', w, dtype)],
  outputs: [value('y', undefined, dtype)],
});

test('names the op that has no schema', async () => {
  expect(await refusal(model(parts('my.domain:Foo'), 17, ['my.domain']))).toEqual({
    kind: 'unknown-op',
    opType: 'Foo',
    domain: 'my.domain',
  });
  expect(await refusal(model(parts('my.domain:Foo')))).toEqual({
    kind: 'unknown-op',
    opType: 'Foo',
    domain: 'my.domain',
  });
  expect(await refusal(model(parts('Foo')))).toEqual({ kind: 'unknown-op', opType: 'Foo', domain: '' });
});

test('names the node that has no kernel', async () => {
  expect(await refusal(model(parts('Conv', 'float64')))).toEqual({
    kind: 'unknown-op',
    opType: 'Conv',
    node: 'the node',
  });
});

test('knows shapes that do not fit', async () => {
  expect(await refusal(model(parts('MatMul', 'float32', [7, 7])))).toEqual({ kind: 'shapes' });
  const negative = { ...parts('Conv'), inputs: [value('x', [1, 3, 1, 1]), value('w', [3, 3, 5, 5])] };
  expect(
    await refusal(model({ ...negative, outputs: [{ name: 'y', docString: '', type: undefined }] })),
  ).toEqual({ kind: 'shapes' });
});

test('anything else is other', async () => {
  const mixed = { ...parts('Add'), inputs: [value('x', [3]), value('w', [3], 'int64')] };
  expect(await refusal(model(mixed))).toEqual({ kind: 'other' });
  expect(readRefusal('accepted')).toEqual({ kind: 'other' });
});

test('a kernel that is missing for one node cuts only there', async () => {
  const network = model({
    nodes: [
      node('Conv', ['x', 'w'], ['double'], {}, 'double'),
      node('Conv', ['a', 'b'], ['single'], {}, 'single'),
      node('Neg', ['double'], ['y']),
    ],
    inputs: [
      value('x', [1, 3, 4, 4], 'float64'),
      value('w', [2, 3, 3, 3], 'float64'),
      value('a', [1, 3, 4, 4]),
      value('b', [2, 3, 3, 3]),
    ],
    valueInfos: [value('double', [1, 2, 2, 2], 'float64')],
  });
  const shapes = await inferShapes(network, runtime);
  expect(shapes.unknownOps.map((cut) => cut.node)).toEqual(['double']);
  expect(shapes.of('single')).toEqual([1, 2, 2, 2]);
  expect(shapes.of('y')).toEqual([1, 2, 2, 2]);
  expect(shapes.dtypeOf('y')).toBe('float64');
});

test('types that the runtime cannot describe or compute with have their shapes and names nevertheless', async () => {
  const network = model({
    nodes: [
      node('Cast', ['x'], ['brain'], { to: 16 }),
      node('MatMul', ['brain', 'w'], ['product']),
      node('Add', ['product', 'b'], ['sum']),
      node('Cast', ['sum'], ['back'], { to: 1 }),
      node('Neg', ['x'], ['y']),
    ],
    initializers: [
      floatTensor('b', [1, 2, 3, 4], [4], 'bfloat16'),
      floatTensor('w', new Float32Array(12), [3, 4], 'bfloat16'),
    ],
    inputs: [value('x', [2, 3])],
  });
  const shapes = await inferShapes(network, runtime);
  expect(shapes.unknownOps).toEqual([]);
  const facts = ['brain', 'product', 'sum', 'back', 'y'].map((name) => [
    shapes.dtypeOf(name),
    shapes.of(name),
  ]);
  expect(facts).toEqual([
    ['bfloat16', [2, 3]],
    ['bfloat16', [2, 4]],
    ['bfloat16', [2, 4]],
    ['float32', [2, 4]],
    ['float32', [2, 3]],
  ]);
});
