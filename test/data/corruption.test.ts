import { describe, expect, it } from 'vitest';
import type { Batch, BatchTensor, DataSource } from '../../src/data/batch.js';
import { corrupted, imageLayout, type Corruption } from '../../src/data/corruption.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';

const tensor = (dims: readonly number[], seed = 1): BatchTensor => ({
  dtype: 'float32',
  dims,
  data: fillNormal(new Float32Array(dims.reduce((a, b) => a * b)), randomGenerator(seed)),
});

function source(x: BatchTensor, sizes: readonly number[]): DataSource {
  const length = x.data.length / x.dims[0]!;
  return {
    description: 'images',
    // eslint-disable-next-line @typescript-eslint/require-await
    async *[Symbol.asyncIterator]() {
      let first = 0;
      for (const size of sizes) {
        const data = (x.data as Float32Array).subarray(first * length, (first + size) * length);
        yield { inputs: { x: { ...x, dims: [size, ...x.dims.slice(1)], data } }, size, valid: size };
        first += size;
      }
    },
  };
}

async function apply(x: BatchTensor, corruption: Corruption, sizes = [x.dims[0]!]): Promise<number[]> {
  const batches: Batch[] = [];
  for await (const batch of corrupted(source(x, sizes), corruption, 3)) batches.push(batch);
  return batches.flatMap(({ inputs }) => Array.from(inputs['x']!.data as Float32Array));
}

function moments(values: readonly number[]) {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length) };
}

describe('corruptions', () => {
  it('take images alone', () => {
    expect(imageLayout(tensor([2, 3, 8, 8]))).toMatchObject({ channels: 3, height: 8, columnStride: 1 });
    expect(imageLayout(tensor([2, 8, 9, 1]))).toMatchObject({ channels: 1, height: 8, width: 9 });
    for (const dims of [
      [2, 10],
      [2, 7, 8, 8],
      [2, 3, 8],
    ])
      expect(imageLayout(tensor(dims))).toBeUndefined();
    expect(imageLayout({ dtype: 'uint8', dims: [1, 3, 8, 8], data: new Uint8Array(192) })).toBeUndefined();
  });

  it('leave everything else as it is', async () => {
    const x = tensor([4, 10]);
    expect(await apply(x, 'noise')).toEqual(Array.from(x.data as Float32Array));
  });

  it('noise has 0.3 standard deviations of the channel', async () => {
    const x = tensor([1, 1, 200, 200]);
    const clean = Array.from(x.data as Float32Array);
    const noise = (await apply(x, 'noise')).map((value, i) => value - clean[i]!);
    expect(moments(noise).mean).toBeCloseTo(0, 2);
    expect(moments(noise).deviation).toBeCloseTo(0.3 * moments(clean).deviation, 2);
  });

  it('contrast keeps the mean of each channel and halves the distance to it', async () => {
    const x = tensor([2, 3, 6, 5]);
    const clean = Array.from(x.data as Float32Array);
    const flat = await apply(x, 'contrast');
    for (let plane = 0; plane < 6; plane++) {
      const own = clean.slice(30 * plane, 30 * (plane + 1));
      const { mean } = moments(own);
      own.forEach((value, i) => expect(flat[30 * plane + i]).toBeCloseTo((value + mean) / 2, 5));
    }
  });

  it('blur is a convolution with a Gaussian in two dimensions', async () => {
    const [height, width] = [70, 66];
    const x = tensor([1, 1, height, width]);
    const clean = x.data as Float32Array;
    const deviation = width / 64;
    const at = (y: number, x: number): number =>
      clean[Math.min(height - 1, Math.max(0, y)) * width + Math.min(width - 1, Math.max(0, x))]!;
    const blurred = await apply(x, 'blur');
    const radius = Math.ceil(3 * deviation);
    for (const [row, column] of [
      [0, 0],
      [30, 40],
      [69, 65],
      [2, 64],
    ] as const) {
      let [sum, weights] = [0, 0];
      for (let dy = -radius; dy <= radius; dy++)
        for (let dx = -radius; dx <= radius; dx++) {
          const weight = Math.exp(-(dy * dy + dx * dx) / (2 * deviation * deviation));
          sum += weight * at(row + dy, column + dx);
          weights += weight;
        }
      expect(blurred[row * width + column]).toBeCloseTo(sum / weights, 5);
    }
  });

  it.each(['noise', 'blur', 'contrast'] as const)(
    '%s is the same for any batch size and layout',
    async (kind) => {
      const x = tensor([4, 3, 6, 8]);
      const whole = await apply(x, kind);
      expect(await apply(x, kind, [1, 2, 1])).toEqual(whole);
      const order = Array.from({ length: whole.length }, (_, i) => {
        const [n, rest] = [Math.floor(i / 144), i % 144];
        const [y, column, channel] = [Math.floor(rest / 24), Math.floor((rest % 24) / 3), rest % 3];
        return n * 144 + channel * 48 + y * 8 + column;
      });
      const clean = x.data as Float32Array;
      const last = { ...x, dims: [4, 6, 8, 3], data: Float32Array.from(order, (i) => clean[i]!) };
      expect(await apply(last, kind)).toEqual(order.map((i) => whole[i]!));
    },
  );
});
