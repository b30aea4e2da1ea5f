import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { DataTypeName } from '../../src/onnx/data-type.js';
import type { ByteSource } from '../../src/onnx/bytes.js';
import { sliceTensor } from '../../src/onnx/slice.js';
import { SlicedBytes } from '../../src/onnx/sliced-bytes.js';
import { elementBytes, integerTensor, rawTensor } from '../../src/onnx/values.js';

/** Element by element, by coordinates. */
function sliceByCoordinates(
  bytes: Uint8Array,
  dims: readonly number[],
  size: number,
  kept: Map<number, Int32Array>,
) {
  const newDims = dims.map((dim, axis) => kept.get(axis)?.length ?? dim);
  const count = newDims.reduce((a, b) => a * b, 1);
  const out: number[] = [];
  for (let flat = 0; flat < count; flat++) {
    let rest = flat;
    let source = 0;
    let stride = 1;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const at = rest % newDims[axis]!;
      rest = Math.floor(rest / newDims[axis]!);
      source += (kept.get(axis)?.[at] ?? at) * stride;
      stride *= dims[axis]!;
    }
    for (let k = 0; k < size; k++) out.push(bytes[source * size + k]!);
  }
  return { dims: newDims, bytes: Uint8Array.from(out) };
}

const problem = fc
  .record({
    dtype: fc.constantFrom<DataTypeName>('uint8', 'bfloat16', 'float32', 'int64', 'complex128'),
    dims: fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 4 }),
    shift: fc.nat(7),
  })
  .chain(({ dtype, dims, shift }) => {
    const count = dims.reduce((a, b) => a * b, elementBytes(dtype));
    return fc.record({
      dtype: fc.constant(dtype),
      dims: fc.constant(dims),
      shift: fc.constant(shift),
      bytes: fc.uint8Array({ minLength: count, maxLength: count }),
      kept: fc.tuple(
        ...dims.map((dim) =>
          fc.option(fc.subarray([...Array(dim).keys()], { minLength: 0 }), { nil: undefined }),
        ),
      ),
    });
  });

describe('sliceTensor', () => {
  it('does what coordinates say, for any dtype, alignment and axes', () => {
    fc.assert(
      fc.property(problem, ({ dtype, dims, shift, bytes, kept }) => {
        const shifted = new Uint8Array(bytes.length + shift);
        shifted.set(bytes, shift);
        const indices = new Map<number, Int32Array>();
        kept.forEach((list, axis) => {
          if (list) indices.set(axis, Int32Array.from(list));
        });
        const result = sliceTensor(rawTensor('w', dtype, dims, shifted.subarray(shift)), indices);
        const expected = sliceByCoordinates(bytes, dims, elementBytes(dtype), indices);
        expect(result.dims).toEqual(expected.dims);
        expect([...result.data.bytes()]).toEqual([...expected.bytes]);
        expect(result).toMatchObject({ name: 'w', dtype });
      }),
      { numRuns: 500 },
    );
  });

  it('copies long runs too', () => {
    const values = Array.from({ length: 300 }, (_, i) => i);
    const result = sliceTensor(integerTensor('w', values, [3, 100]), new Map([[0, Int32Array.of(0, 2)]]));
    const expected = integerTensor('', [...values.slice(0, 100), ...values.slice(200)]).data.bytes();
    expect(result.data.bytes()).toEqual(expected);
  });

  it('returns the tensor itself if all is kept', () => {
    const tensor = integerTensor('w', [1, 2, 3]);
    expect(sliceTensor(tensor, new Map([[0, Int32Array.of(0, 1, 2)]]))).toBe(tensor);
  });

  it.each([
    ['descending', 0, [1, 0]],
    ['repeated', 0, [1, 1]],
    ['past the end', 0, [3]],
    ['negative', 0, [-1]],
    ['of an axis that is not there', 1, [0]],
  ])('refuses indices that are %s', (_, axis, indices) => {
    const slice = () =>
      sliceTensor(integerTensor('w', [1, 2, 3]), new Map([[axis, Int32Array.from(indices)]]));
    expect(slice).toThrow(`kept indices of axis ${axis} of tensor 'w' [3]`);
  });
});

/** Bytes of a file: every read is a copy, and reads outside are errors. */
class FileLike implements ByteSource {
  largest = 0;

  constructor(private readonly bytes: Uint8Array) {}

  get byteLength(): number {
    return this.bytes.length;
  }

  read(from: number, to: number, scratch?: Uint8Array): Uint8Array {
    expect(from).toBeGreaterThanOrEqual(0);
    expect(to).toBeLessThanOrEqual(this.bytes.length);
    this.largest = Math.max(this.largest, to - from);
    const out =
      scratch && scratch.length >= to - from ? scratch.subarray(0, to - from) : new Uint8Array(to - from);
    out.set(this.bytes.subarray(from, to));
    return out;
  }
}

describe('SlicedBytes', () => {
  it('gives any part of the result, whatever window it reads a file through', () => {
    const parts = fc.record({
      of: problem,
      window: fc.constantFrom(16, 48, 4096),
      begin: fc.double({ min: 0, max: 1, noNaN: true }),
      end: fc.double({ min: 0, max: 1, noNaN: true }),
      shift: fc.nat(3),
    });
    fc.assert(
      fc.property(parts, ({ of: { dtype, dims, bytes, kept }, window, begin, end, shift }) => {
        const indices = new Map<number, Int32Array>();
        kept.forEach((list, axis) => {
          if (list) indices.set(axis, Int32Array.from(list));
        });
        if (indices.size === 0) return;
        const expected = sliceByCoordinates(bytes, dims, elementBytes(dtype), indices);
        const sliced = new SlicedBytes(new FileLike(bytes), dims, elementBytes(dtype), indices, window);
        expect(sliced.byteLength).toBe(expected.bytes.length);
        const [from, to] = [begin, end].map((x) => Math.round(x * sliced.byteLength)).sort((a, b) => a - b);
        const scratch = new Uint8Array(sliced.byteLength + shift).subarray(shift);
        const read = sliced.read(from!, to!, scratch);
        expect([...read]).toEqual([...expected.bytes.subarray(from, to)]);
      }),
      { numRuns: 1000 },
    );
  });

  it('copies long runs past the window, and gathers short ones through it', () => {
    const size = 300_000;
    const bytes = Uint8Array.from({ length: 4 * size }, (_, i) => (i * 31) % 251);
    for (const [dims, axis, indices] of [
      [[4, size], 0, [1, 3]],
      [[4, size], 1, Array.from({ length: size / 3 }, (_, i) => 3 * i)],
      [[2, 2, size], 1, [1]],
    ] as const) {
      const kept = new Map([[axis, Int32Array.from(indices)]]);
      const source = new FileLike(bytes);
      const sliced = new SlicedBytes(source, dims, 1, kept, 4096);
      const expected = sliceByCoordinates(bytes, dims, 1, kept);
      expect(Buffer.compare(sliced.read(0, sliced.byteLength), expected.bytes)).toBe(0);
      expect(source.largest).toBe(axis === 1 && dims.length === 2 ? 4096 : size);
    }
  });

  it('slices what is sliced', () => {
    const values = Array.from({ length: 60 }, (_, i) => i);
    const once = sliceTensor(
      integerTensor('w', values, [6, 10], 'int16'),
      new Map([[0, Int32Array.of(1, 4)]]),
    );
    const twice = sliceTensor(once, new Map([[1, Int32Array.of(0, 9)]]));
    expect(twice.data.bytes()).toEqual(integerTensor('w', [10, 19, 40, 49], [2, 2], 'int16').data.bytes());
  });
});
