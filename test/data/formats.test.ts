import { gzipSync } from 'fflate';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { float16 as f16 } from '../oracles/float16.js';
import { cifarFormat, parseCifar } from '../../src/data/cifar.js';
import { gunzip } from '../../src/data/compression.js';
import { convertElements } from '../../src/data/elements.js';
import { decodeFloat16, encodeFloat16 } from '../../src/data/float16.js';
import { idxLabelsName, parseIdx } from '../../src/data/idx.js';
import { parseLabelText, toLabels } from '../../src/data/labels.js';
import { writeIdx } from '../oracles/idx.js';

describe('parseIdx', () => {
  it('reads bytes, gzipped or not', () => {
    const idx = writeIdx([2, 1, 2], [1, 2, 3, 255]);
    const expected = { dtype: 'uint8', dims: [2, 1, 2], data: Uint8Array.of(1, 2, 3, 255) };
    expect(parseIdx(idx, 'x')).toEqual(expected);
    expect(parseIdx(gzipSync(idx), 'x.gz')).toEqual(expected);
  });

  it('reads big-endian elements of several bytes', () => {
    const floats = Uint8Array.of(0, 0, 0x0d, 1, 0, 0, 0, 2, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0);
    expect(parseIdx(floats, 'x').data).toEqual(Float32Array.of(1, -2));
    const shorts = Uint8Array.of(0, 0, 0x0b, 1, 0, 0, 0, 2, 1, 2, 0xff, 0xff);
    expect(parseIdx(shorts, 'x').data).toEqual(Int16Array.of(258, -1));
  });

  it('refuses other files, truncated ones and claims of 10^12 elements', () => {
    expect(() => parseIdx(Uint8Array.of(1, 2, 3, 4, 5), 'x')).toThrow(
      "'x' is not an IDX file; check the path",
    );
    expect(() => parseIdx(writeIdx([2, 2], [1, 2, 3]), 'x')).toThrow("'x' is truncated");
    expect(() => parseIdx(writeIdx([2, 2], [1, 2, 3, 4, 5]), 'x')).toThrow(
      "'x' has bytes after its last element",
    );
    expect(() => parseIdx(writeIdx([1_000_000, 1_000_000], [1]), 'x')).toThrow("'x' is truncated");
    expect(() => parseIdx(Uint8Array.of(0, 0, 8, 255, 0), 'x')).toThrow("'x' is truncated");
  });

  it('knows where labels lie', () => {
    expect(idxLabelsName('t10k-images-idx3-ubyte.gz')).toBe('t10k-labels-idx1-ubyte.gz');
    expect(idxLabelsName('t10k-images.idx3-ubyte')).toBe('t10k-labels.idx1-ubyte');
    expect(idxLabelsName('pictures.idx')).toBeUndefined();
  });
});

describe('gunzip', () => {
  const packed = gzipSync(new TextEncoder().encode('a line of text, a line of text, a line of text'));
  it('refuses truncated and damaged files', () => {
    for (let length = 0; length < packed.length; length++) {
      expect(() => gunzip(packed.slice(0, length), 'x.gz'), `${length} bytes`).toThrow(/^'x\.gz' /);
    }
    // The last bits of the data are padding: all before them, and the trailer, must be noticed.
    for (let at = 10; at < packed.length; at++) {
      if (at === packed.length - 9) continue;
      const damaged = packed.slice();
      damaged[at]! ^= 0x10;
      expect(() => gunzip(damaged, 'x.gz'), `byte ${at}`).toThrow(/^'x\.gz' /);
    }
  });

  it('bounds what it unpacks, before allocating', () => {
    const bomb = gzipSync(new Uint8Array(1_000_000));
    expect(gunzip(bomb, 'x.gz').length).toBe(1_000_000);
    expect(() => gunzip(bomb, 'x.gz', 999_999)).toThrow('unpacks to 1000000 bytes, the limit is 999999');
    const lie = packed.slice();
    lie.set([255, 255, 255, 127], lie.length - 4);
    expect(() => gunzip(lie, 'x.gz')).toThrow('claims an impossible unpacked size');
  });
});

describe('parseCifar', () => {
  const record = (labels: number[]) =>
    Uint8Array.from({ length: labels.length + 3072 }, (_, i) => labels[i] ?? i % 251);

  it('reads CIFAR-10 and, with the fine label, CIFAR-100', () => {
    const ten = Uint8Array.from([...record([3]), ...record([9])]);
    const { images, labels } = parseCifar(ten, 'x.bin');
    expect(labels).toEqual(Int32Array.of(3, 9));
    expect(images.dims).toEqual([2, 3, 32, 32]);
    expect(images.data[0]).toBe(1);
    expect(images.data[3072 + 1024]).toBe((1 + 1024) % 251);
    expect(parseCifar(record([19, 99]), 'x.bin').labels).toEqual(Int32Array.of(99));
  });

  it('refuses partial records and labels out of range', () => {
    expect(cifarFormat(3073 * 4)).toBe('cifar10');
    expect(cifarFormat(3072)).toBeUndefined();
    expect(() => parseCifar(record([1]).slice(1), 'x.bin')).toThrow("'x.bin' is not whole CIFAR records");
    expect(() => parseCifar(new Uint8Array(0), 'x.bin')).toThrow("'x.bin' is not whole CIFAR records");
    expect(() => parseCifar(record([10]), 'x.bin')).toThrow(
      "'x.bin' has label 10 in record 0, beyond 10 classes",
    );
  });
});

describe('float16', () => {
  it('decodes all 65,536 values as @petamoriken/float16 does', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    expect(decodeFloat16(bits)).toEqual(f16.decode(bits));
  });

  it('rounds to nearest even', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.double(), fc.double({ min: -70000, max: 70000 }), fc.double({ min: -1e-4, max: 1e-4 })),
        (value) => {
          expect(decodeFloat16(encodeFloat16([value]))[0]).toBe(f16.round(value));
        },
      ),
      { numRuns: 3000 },
    );
    for (const [value, bits] of [
      [65519.99, 0x7bff],
      [65520, 0x7c00],
      [-0, 0x8000],
      [2 ** -25, 0],
      [3 * 2 ** -26, 1],
      [2049, 0x6800],
      [2051, 0x6802],
    ] as const) {
      expect(encodeFloat16([value])[0], String(value)).toBe(bits);
    }
  });
});

describe('convertElements', () => {
  it('widens, narrows where values fit, and refuses what loses meaning', () => {
    expect(convertElements(Int32Array.of(-1, 2), 'int32', 'int64', 'ids')).toEqual(BigInt64Array.of(-1n, 2n));
    expect(convertElements(BigInt64Array.of(7n), 'int64', 'int32', 'ids')).toEqual(Int32Array.of(7));
    expect(convertElements(Float64Array.of(0.1), 'float64', 'float32', 'x')).toEqual(Float32Array.of(0.1));
    expect(convertElements(Uint8Array.of(0, 1), 'uint8', 'bool', 'mask')).toEqual(Uint8Array.of(0, 1));
    expect(() => convertElements(BigInt64Array.of(2n ** 40n), 'int64', 'int32', 'ids')).toThrow(
      "input 'ids' expects int32, got 1099511627776; give values that fit int32",
    );
    expect(() => convertElements(Int32Array.of(-1), 'int32', 'uint64', 'ids')).toThrow(
      "input 'ids' expects uint64, got -1",
    );
    expect(() => convertElements(Float32Array.of(1), 'float32', 'int64', 'ids')).toThrow(
      "input 'ids' expects int64, got float32; save the array as int64",
    );
  });
});

describe('labels', () => {
  it('are whole numbers from 0', () => {
    expect(parseLabelText('3\r\n1\n\n0', 'y.txt')).toEqual(Int32Array.of(3, 1, 0));
    expect(toLabels(BigInt64Array.of(5n), 'y')).toEqual(Int32Array.of(5));
    expect(() => parseLabelText('3\ncat\n', 'y.txt')).toThrow("'y.txt' has 'cat' among its labels");
    expect(() => toLabels([1, -1], 'y')).toThrow("label 1 of 'y' is -1; give class indices from 0");
    expect(() => toLabels([0.5], 'y')).toThrow("label 0 of 'y' is 0.5");
  });
});
