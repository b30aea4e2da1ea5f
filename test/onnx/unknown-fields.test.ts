import { createRequire } from 'node:module';
import { afterEach, expect, it, vi } from 'vitest';

import { integer, join, message, text } from '../oracles/wire-format.js';

afterEach(() => {
  vi.doUnmock('protobufjs/minimal.js');
  vi.resetModules();
});

const file = join(integer(1, 8), message(7, text(2, 'g')));

/** A second copy of protobufjs, as npm installs it where versions don't agree. */
function otherCopy(): object {
  const require = createRequire(import.meta.url);
  const saved = { ...require.cache };
  for (const path of Object.keys(require.cache)) if (path.includes('protobufjs')) delete require.cache[path];
  const copy = require('protobufjs/minimal.js') as object;
  Object.assign(require.cache, saved);
  return copy;
}

it('another copy of protobufjs than the one of onnx-proto is told, not tolerated', async () => {
  vi.resetModules();
  vi.doMock('protobufjs/minimal.js', () => ({ default: otherCopy() }));
  const { decodeModel } = await import('../../src/onnx/codec.js');
  let error: unknown;
  try {
    decodeModel(file);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ name: 'PruneError', code: 'internal' });
  expect((error as Error).message).toContain('npm dedupe');
});

it('generated code that skips fields without telling is told, not tolerated', async () => {
  const { decodeModel } = await import('../../src/onnx/codec.js');
  const { default: onnxProto } = await import('onnx-proto');
  const { GraphProto } = onnxProto.onnx;
  // As a generator would that reads the fields it doesn't know by itself.
  const original = Object.getOwnPropertyDescriptor(GraphProto, 'decode')!;
  GraphProto.decode = ((reader: { pos: number }, length: number) => {
    reader.pos += length;
    return new GraphProto();
  }) as unknown as typeof GraphProto.decode;
  try {
    expect(() => decodeModel(file)).toThrow('npm dedupe');
  } finally {
    Object.defineProperty(GraphProto, 'decode', original);
  }
  expect(decodeModel(file).graph.name).toBe('g');
});
