import fc from 'fast-check';
import { zipSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { PruneError } from '../../src/errors.js';
import { parseNpy, parseNpz } from '../../src/data/npy.js';
import { npyBytes, npyDtypes, writeNpy, type NpyFile } from '../oracles/npy.js';

const bits = {
  bool: 1,
  int8: 8,
  uint8: 8,
  int16: 16,
  uint16: 16,
  int32: 32,
  uint32: 32,
  float16: 16,
} as const;

function valueOf(dtype: NpyFile['dtype']): fc.Arbitrary<number | bigint> {
  if (dtype === 'float32') return fc.float();
  if (dtype === 'float64') return fc.double();
  if (dtype === 'int64') return fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
  if (dtype === 'uint64') return fc.bigInt(0n, 2n ** 64n - 1n);
  const width = bits[dtype];
  return dtype.startsWith('int')
    ? fc.integer({ min: -(2 ** (width - 1)), max: 2 ** (width - 1) - 1 })
    : fc.integer({ min: 0, max: 2 ** width - 1 });
}

const file: fc.Arbitrary<NpyFile> = fc
  .record({
    dtype: fc.constantFrom(...npyDtypes),
    dims: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
    bigEndian: fc.boolean(),
    fortran: fc.boolean(),
    version: fc.constantFrom(1 as const, 2 as const, 3 as const),
  })
  .chain((shape) => {
    const length = shape.dims.reduce((product, dim) => product * dim, 1);
    return fc
      .array(valueOf(shape.dtype), { minLength: length, maxLength: length })
      .map((values) => ({ ...shape, values }));
  });

const decodeBase64 = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));

describe('parseNpy', () => {
  it('reads back what was written: every dtype, byte order, element order and version', () => {
    fc.assert(
      fc.property(file, fc.integer({ min: 0, max: 7 }), (written, shift) => {
        // At every alignment, as members of a zip file are.
        const bytes = new Uint8Array(shift + writeNpy(written).length).subarray(shift);
        bytes.set(writeNpy(written));
        const read = parseNpy(bytes, 'x.npy');
        expect(read.dtype).toBe(written.dtype);
        expect(read.dims).toEqual(written.dims);
        expect(Array.from(read.data as ArrayLike<number | bigint>)).toEqual(written.values);
      }),
      { numRuns: 300 },
    );
  });

  it('reads what NumPy wrote: Fortran order, version 2', () => {
    const text =
      'k05VTVBZAgB0AAAAeydkZXNjcic6ICc8aTInLCAnZm9ydHJhbl9vcmRlcic6IFRydWUsICdzaGFwZSc6ICgyLCAzKSwgfSAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAMAAQAEAAIABQA=';
    expect(parseNpy(decodeBase64(text), 'x.npy')).toEqual({
      dtype: 'int16',
      dims: [2, 3],
      data: Int16Array.of(0, 1, 2, 3, 4, 5),
    });
  });

  it('serves aligned little-endian data as a view', () => {
    const bytes = writeNpy({ dtype: 'float32', dims: [2], values: [1, 2] });
    expect(parseNpy(bytes, 'x.npy').data.buffer).toBe(bytes.buffer);
  });

  const header = (descr: string, shape: string) =>
    `{'descr': ${descr}, 'fortran_order': False, 'shape': ${shape}, }`;
  it.each([
    [
      'no NumPy file',
      new TextEncoder().encode('x,y\n1,2\n3,4\n'),
      "'x.npy' is not a .npy file; write it with numpy.save",
    ],
    [
      'a huge claim',
      npyBytes(header("'<f4'", '(1000000, 1000000)'), 8),
      "'x.npy' holds 8 bytes where its shape (1000000, 1000000) needs 4000000000000; write it again",
    ],
    ['bytes too many', npyBytes(header("'<f4'", '(1,)'), 8), 'holds 8 bytes where its shape (1) needs 4'],
    ['objects', npyBytes(header("'|O'", '(1,)'), 8), 'has elements of type O; save numbers or booleans'],
    ['strings', npyBytes(header("'<U3'", '(1,)'), 12), 'has elements of type U3'],
    ['records', npyBytes(header("[('a', '<f4')]", '(1,)'), 4), "has elements of type [('a'"],
    ['no shape', npyBytes("{'descr': '<f4', 'fortran_order': False}", 4), 'has a damaged header'],
    [
      'an unknown version',
      npyBytes(header("'<f4'", '(1,)'), 4, undefined, 9),
      'has the unknown .npy version 9',
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseNpy(bytes, 'x.npy')).toThrow(message);
  });

  it('meets damage with invalid-data or a result of the length the shape says, never another error', () => {
    fc.assert(
      fc.property(
        file,
        fc.nat(),
        fc.nat({ max: 255 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (written, at, byte, part) => {
          const whole = writeNpy(written);
          whole[at % whole.length] = byte;
          try {
            const { dims, data } = parseNpy(whole.slice(0, Math.ceil(whole.length * part)), 'x.npy');
            expect(data.length).toBe(dims.reduce((product, dim) => product * dim, 1));
          } catch (error) {
            if (!(error instanceof PruneError)) throw error;
            expect(error.code).toBe('invalid-data');
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('parseNpz', () => {
  it('reads what numpy.savez_compressed wrote', () => {
    const text =
      'UEsDBC0AAAAIAAAAIQCe1unq//////////8FABQAeC5ucHkBABAAmAAAAAAAAABYAAAAAAAAAJvsF+obEMnIUMZQrZ6SWpxcpG6loG6XZqKuo6Cell9UUpSYF59flJIKEndLzClOBYoXZyQWpAL5GkY6CsaaOgq1CmQDLgYgsG9gYHAA0g5AwgHEXsDAAABQSwMELQAAAAgAAAAhAIzeM+D//////////woAFABsYWJlbHMubnB5AQAQAJAAAAAAAAAASgAAAAAAAACb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOpo6CrUKFAAuZgYIYITSAFBLAQItAy0AAAAIAAAAIQCe1unqWAAAAJgAAAAFAAAAAAAAAAAAAACAAQAAAAB4Lm5weVBLAQItAy0AAAAIAAAAIQCM3jPgSgAAAJAAAAAKAAAAAAAAAAAAAACAAY8AAABsYWJlbHMubnB5UEsFBgAAAAACAAIAawAAABUBAAAAAA==';
    const arrays = parseNpz(decodeBase64(text), 'x.npz');
    expect([...arrays.keys()]).toEqual(['x', 'labels']);
    expect(arrays.get('x')).toEqual({
      dtype: 'float32',
      dims: [2, 3],
      data: Float32Array.of(0, 1, 2, 3, 4, 5),
    });
    expect(arrays.get('labels')!.data).toEqual(BigInt64Array.of(3n, 1n));
  });

  it('refuses damaged files, files without arrays and zip bombs before unpacking', () => {
    const zip = zipSync({ 'x.npy': writeNpy({ dtype: 'uint8', dims: [4], values: [1, 2, 3, 4] }) });
    expect(() => parseNpz(zip.slice(0, 60), 'x.npz')).toThrow("'x.npz' is not a whole zip file");
    expect(() => parseNpz(zipSync({ 'x.txt': new Uint8Array(3) }), 'x.npz')).toThrow(
      "'x.npz' holds no arrays",
    );
    const bomb = zipSync({ 'x.npy': new Uint8Array(1_000_000) });
    expect(() => parseNpz(bomb, 'x.npz', 999_999)).toThrow('unpacks to 1000000 bytes, the limit is 999999');
    const lie = zipSync({ 'x.npy': new Uint8Array(10) });
    // The unpacked size in the central directory, 24 bytes into its record.
    const record = lie.findIndex((_, at) => lie[at] === 0x50 && lie[at + 1] === 0x4b && lie[at + 2] === 1);
    new DataView(lie.buffer, lie.byteOffset).setUint32(record + 24, 2 ** 31, true);
    expect(() => parseNpz(lie, 'x.npz')).toThrow('claims an impossible unpacked size');
  });
});
