import { expect, it } from 'vitest';
import { openData } from '../../src/data/files.js';
import { fillSynthetic } from '../../src/data/synthetic.js';
import { randomGenerator } from '../../src/random/random.js';

function example(dims: readonly number[], seed: string): Float32Array {
  const values = new Float32Array(dims.reduce((a, b) => a * b, 1));
  fillSynthetic(values, dims, randomGenerator(seed));
  return values;
}

/** Over the pairs of positions a fixed distance apart in a flat array. */
function correlation(values: Float32Array, distance: number): number {
  let sum = 0;
  for (let i = 0; i + distance < values.length; i++) sum += values[i]! * values[i + distance]!;
  return sum / (values.length - distance);
}

const examples = (dims: readonly number[]): Float32Array[] =>
  Array.from({ length: 40 }, (_, i) => example(dims, `${i}`));
const average = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;

it.each([[[1, 28, 28]], [[3, 16, 40]], [[16, 16, 3]], [[100]], [[4]]])(
  'examples of shape %j have mean 0 and deviation 1',
  (dims) => {
    const all = examples(dims);
    const isShort = dims.every((size) => size < 8);
    for (const values of isShort ? [] : all) {
      expect(average([...values])).toBeCloseTo(0, 4);
      expect(average([...values].map((v) => v * v))).toBeCloseTo(1, 3);
    }
    expect(Math.abs(average(all.flatMap((values) => [...values])))).toBeLessThan(0.3);
  },
);

it('neighbours are alike, places far apart are less so, and planes share something', () => {
  const all = examples([3, 32, 32]);
  const [near, below, far, plane] = [1, 32, 16 * 32, 1024].map((distance) =>
    average(all.map((values) => correlation(values, distance))),
  );
  expect(near!).toBeGreaterThan(0.6);
  expect(below!).toBeGreaterThan(0.6);
  expect(far!).toBeLessThan(0.4);
  expect(plane!).toBeGreaterThan(0.25);
  expect(plane!).toBeLessThan(0.8);
});

it('channels may come last', () => {
  const all = examples([32, 32, 3]);
  expect(average(all.map((values) => correlation(values, 3)))).toBeGreaterThan(0.6);
  expect(average(all.map((values) => correlation(values, 1)))).toBeLessThan(0.8);
});

it('is the same for the same seed, and says that it is no data', async () => {
  const inputs = [{ name: 'x', dtype: 'float32', dims: ['n', 1, 12, 12] }] as const;
  const data = await openData({ path: 'synthetic', limit: 3, batch: 2 }, inputs);
  expect(data.description).toBe('data-free: synthetic examples, seed 0, 3 examples');
  const again = await openData({ path: 'synthetic', limit: 3, batch: 3 }, inputs);
  const read = async (source: typeof data): Promise<number[]> => {
    const out: number[] = [];
    for await (const { inputs: tensors } of source) out.push(...(tensors['x']!.data as Float32Array));
    return out;
  };
  expect(await read(data)).toEqual(await read(again));
});
