import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { DataTypeName } from '../../src/onnx/data-type.js';
import { constantTensor } from '../../src/ops/literal.js';
import {
  elementBytes,
  encodeFloats,
  floatsOf,
  floatTensor,
  integersOf,
  integerTensor,
  rawTensor,
} from '../../src/onnx/values.js';
import { node } from './build.js';

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

describe('floats', () => {
  it('are a view on aligned bytes and a copy of others', () => {
    const values = Float32Array.of(1, 2, 3);
    const view = floatsOf(rawTensor('w', 'float32', [3], bytesOf(values)));
    expect(view.buffer).toBe(values.buffer);
    const shifted = new Uint8Array(13);
    shifted.set(bytesOf(values), 1);
    expect([...floatsOf(rawTensor('w', 'float32', [3], shifted.subarray(1)))]).toEqual([1, 2, 3]);
    expect(floatsOf(floatTensor('w', [0.1], [1], 'float64'))[0]).toBe(0.1);
  });

  it('of half precision are those of IEEE 754', () => {
    // 1, -2, the largest, the smallest subnormal, infinity, and 2^-14
    const halves = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x0400];
    const tensor = rawTensor('h', 'float16', [6], bytesOf(Uint16Array.from(halves)));
    const values = [1, -2, 65504, 2 ** -24, Infinity, 2 ** -14];
    expect([...floatsOf(tensor)]).toEqual(values);
    expect([...new Uint16Array(encodeFloats(values, 'float16').slice().buffer)]).toEqual(halves);
    // A tie goes to even; 65520 is the first that overflows.
    const rounded = floatsOf(
      floatTensor('h', [1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520], [4], 'float16'),
    );
    expect([...rounded]).toEqual([1, 1 + 2 ** -9, 65504, Infinity]);
  });

  it('of bfloat16 are the upper half of float32, rounded to nearest even', () => {
    const tensor = rawTensor('b', 'bfloat16', [3], bytesOf(Uint16Array.of(0x3f80, 0xc000, 0x7f80)));
    expect([...floatsOf(tensor)]).toEqual([1, -2, Infinity]);
    const rounded = floatsOf(floatTensor('b', [1 + 2 ** -8, 1 + 3 * 2 ** -8, NaN, -0], [4], 'bfloat16'));
    expect([...rounded]).toEqual([1, 1 + 2 ** -6, NaN, -0]);
  });

  it.each(['float16', 'bfloat16', 'float32', 'float64'] as const)('of %s survive a round trip', (dtype) => {
    const bits = { float16: 0x7c00, bfloat16: 0x7f80 };
    if (dtype === 'float16' || dtype === 'bfloat16') {
      const all = Uint16Array.from({ length: 65536 }, (_, i) => i).filter((i) => (i & 0x7fff) <= bits[dtype]);
      const tensor = rawTensor('w', dtype, [all.length], bytesOf(all));
      expect(encodeFloats(floatsOf(tensor), dtype)).toEqual(bytesOf(all));
    } else {
      const values = [0, -0, 1.5, Infinity, 1e-40];
      const again = floatsOf(floatTensor('w', values, [5], dtype));
      expect([...again]).toEqual(dtype === 'float32' ? values.map(Math.fround) : values);
    }
  });

  it('are not read from other types, unless widened', () => {
    const tensor = integerTensor('i', [1, -2]);
    expect(() => floatsOf(tensor)).toThrow("tensor 'i' of type int64 holds no floats");
    expect(floatsOf(tensor, { widen: true })).toEqual(Float64Array.of(1, -2));
  });
});

describe('integers', () => {
  const ranges: [DataTypeName, number, number][] = [
    ['int8', -128, 127],
    ['uint8', 0, 255],
    ['bool', 0, 1],
    ['int16', -32768, 32767],
    ['uint16', 0, 65535],
    ['int32', -(2 ** 31), 2 ** 31 - 1],
    ['uint32', 0, 2 ** 32 - 1],
    ['int64', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ['uint64', 0, Number.MAX_SAFE_INTEGER],
  ];
  it.each(ranges)('%s keep %d to %d', (dtype, min, max) => {
    const tensor = integerTensor('i', [min, 0, 1, max], [2, 2], dtype);
    expect(tensor).toMatchObject({ name: 'i', dims: [2, 2], dtype });
    expect(tensor.data.byteLength).toBe(4 * elementBytes(dtype));
    expect(integersOf(tensor)).toEqual([min, 0, 1, max]);
  });

  it('of 64 bits are clamped to safe integers', () => {
    const tensor = integerTensor('i', [2n ** 63n - 1n, -(2n ** 63n)]);
    expect(integersOf(tensor)).toEqual([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]);
  });

  it('are read at any alignment', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt(-(2n ** 53n) + 1n, 2n ** 53n - 1n)), fc.nat(7), (values, shift) => {
        const { data } = integerTensor('i', values);
        const bytes = new Uint8Array(data.byteLength + shift);
        bytes.set(data.bytes(), shift);
        const tensor = rawTensor('i', 'int64', [values.length], bytes.subarray(shift));
        expect(integersOf(tensor)).toEqual(values.map(Number));
      }),
    );
  });

  it('are not read from floats', () => {
    expect(() => integersOf(floatTensor('w', [1]))).toThrow(
      "tensor 'w' of type float32 (1) holds no integers",
    );
  });
});

it('a tensor of the wrong number of bytes is refused', () => {
  expect(() => rawTensor('w', 'float32', [2], new Uint8Array(4))).toThrow('needs 8 bytes but got 4');
  expect(() => elementBytes('int4')).toThrow('have no size in bytes');
});

describe('constantTensor', () => {
  const value = (name: string, attribute: Parameters<typeof node>[3]) =>
    constantTensor(node('Constant', [], [name], attribute));

  it('reads all numeric forms', () => {
    const tensor = integerTensor('inner', [3]);
    expect(value('c', { value: { type: 'tensor', value: tensor } })).toEqual({ ...tensor, name: 'c' });
    const float = value('c', { value_float: { type: 'float', value: 0.5 } })!;
    expect([float.dims, ...floatsOf(float)]).toEqual([[], 0.5]);
    const floats = value('c', { value_floats: { type: 'floats', value: [1, 2] } })!;
    expect([floats.dims, ...floatsOf(floats)]).toEqual([[2], 1, 2]);
    const int = value('c', { value_int: { type: 'int', value: -1n } })!;
    expect([int.dtype, int.dims, ...integersOf(int)]).toEqual(['int64', [], -1]);
    const ints = value('c', { value_ints: { type: 'ints', value: [1n, 2n] } })!;
    expect([ints.dims, ...integersOf(ints)]).toEqual([[2], 1, 2]);
  });

  it('leaves strings and other nodes', () => {
    expect(value('c', { value_string: { type: 'string', value: new Uint8Array(1) } })).toBeUndefined();
    expect(constantTensor(node('Relu', ['x'], ['y']))).toBeUndefined();
  });
});
