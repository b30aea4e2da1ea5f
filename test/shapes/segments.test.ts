import { expect, test } from 'vitest';
import { cutIntoSegments } from '../../src/shapes/segments.js';

test('short graphs stay whole, long ones are covered without gaps within the limit', () => {
  const chain = (length: number) => ({
    reads: Array.from({ length }, (_, i) => [`v${i - 1}`]),
    writes: Array.from({ length }, (_, i) => [`v${i}`]),
  });
  const cut = (length: number) => cutIntoSegments(chain(length).reads, chain(length).writes, 100);
  expect(cut(0)).toEqual([]);
  expect(cut(100)).toEqual([{ from: 0, to: 100 }]);
  for (const length of [101, 199, 200, 950, 1000]) {
    const segments = cut(length);
    expect(segments[0]!.from).toBe(0);
    expect(segments.at(-1)!.to).toBe(length);
    for (const [i, { from, to }] of segments.entries()) {
      expect(to - from).toBeGreaterThan(0);
      expect(to - from).toBeLessThanOrEqual(110);
      if (i > 0) expect(from).toBe(segments[i - 1]!.to);
    }
  }
});

test('cuts where few values cross', () => {
  // Blocks of 4 nodes: three write what the fourth joins, so that only block ends have a single value crossing.
  const reads: string[][] = [];
  const writes: string[][] = [];
  for (let block = 0; block < 100; block++) {
    for (const part of ['a', 'b', 'c']) {
      reads.push([`join${block - 1}`]);
      writes.push([`${part}${block}`]);
    }
    reads.push([`a${block}`, `b${block}`, `c${block}`]);
    writes.push([`join${block}`]);
  }
  const segments = cutIntoSegments(reads, writes, 90);
  expect(segments.length).toBeGreaterThan(3);
  for (const { from } of segments) expect(from % 4).toBe(0);
});
