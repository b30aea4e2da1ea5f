import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zipSync } from 'fflate';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Batch, ModelInput } from '../../src/data/batch.js';
import { openData } from '../../src/data/files.js';
import type { DataOptions } from '../../src/data/options.js';
import { writeIdx } from '../oracles/idx.js';
import { writeNpy } from '../oracles/npy.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onnx-prune-data-'));
});
afterAll(() => rm(folder, { recursive: true }));

const nchw = (channels: number, size: number, dtype: ModelInput['dtype'] = 'float32'): ModelInput[] => [
  { name: 'input', dtype, dims: ['batch', channels, size, size] },
];

async function firstBatch(options: DataOptions, inputs: ModelInput[]): Promise<Batch> {
  for await (const batch of await openData(options, inputs)) return batch;
  throw new Error('no batch');
}

const numbers = (batch: Batch) => Array.from(batch.inputs['input']!.data as Float32Array);

describe('openData', () => {
  it('reads IDX images with the labels beside them, scaled by 255 and normalised', async () => {
    const path = join(folder, 'tiny-images-idx3-ubyte.gz');
    await writeFile(path, gzipSync(writeIdx([2, 2, 2], [0, 51, 102, 255, 255, 0, 0, 0])));
    await writeFile(join(folder, 'tiny-labels-idx1-ubyte'), writeIdx([2], [4, 1]));
    const batch = await firstBatch({ path, mean: 0.2, std: 0.5 }, nchw(1, 2));
    expect(batch.labels).toEqual(Int32Array.of(4, 1));
    expect(batch.inputs['input']!.dims).toEqual([2, 1, 2, 2]);
    expect(numbers(batch)).toEqual([-0.4, 0, 0.4, 1.6, 1.6, -0.4, -0.4, -0.4].map(Math.fround));

    const raw = await firstBatch({ path, limit: 1 }, nchw(1, 2, 'uint8'));
    expect(raw.inputs['input']!.data).toEqual(Uint8Array.of(0, 51, 102, 255));
    const flat = await firstBatch({ path, scale: 1 }, [{ name: 'input', dtype: 'float32', dims: ['n', 4] }]);
    expect(numbers(flat).slice(0, 4)).toEqual([0, 51, 102, 255]);
    await expect(openData(path, nchw(3, 2))).rejects.toThrow(
      "input 'input' expects [batch, 3, 2, 2], got [n, 1, 2, 2]; give images of the size the model takes",
    );
  });

  it('takes labels from other files, and checks their number', async () => {
    const path = join(folder, 'plain.idx');
    await writeFile(path, writeIdx([2, 2, 2], new Uint8Array(8)));
    const text = join(folder, 'labels.txt');
    await writeFile(text, '5\n6\n');
    expect((await firstBatch({ path, labels: text }, nchw(1, 2))).labels).toEqual(Int32Array.of(5, 6));
    const npy = join(folder, 'labels.npy');
    await writeFile(npy, writeNpy({ dtype: 'int64', dims: [3], values: [1n, 2n, 3n] }));
    await expect(openData({ path, labels: npy }, nchw(1, 2))).rejects.toThrow(
      "'labels.npy' has 3 labels for 2 examples",
    );
  });

  it('reads .npz by input names, and .npy for the only input', async () => {
    const path = join(folder, 'x.npz');
    const input = writeNpy({ dtype: 'float64', dims: [2, 1, 1, 1], values: [1.5, 2.5], bigEndian: true });
    const labels = writeNpy({ dtype: 'uint8', dims: [2, 1], values: [9, 8] });
    await writeFile(path, zipSync({ 'input.npy': input, 'labels.npy': labels }));
    const batch = await firstBatch({ path }, nchw(1, 1));
    expect([numbers(batch), batch.labels]).toEqual([[1.5, 2.5], Int32Array.of(9, 8)]);
    const single = join(folder, 'x.npy');
    await writeFile(single, input);
    expect(numbers(await firstBatch({ path: single }, nchw(1, 1)))).toEqual([1.5, 2.5]);
  });

  it('reads CIFAR records, planar into NHWC', async () => {
    const path = join(folder, 'two.bin');
    const record = (label: number) => [label, ...new Uint8Array(1024).fill(10), ...new Uint8Array(1024).fill(20), ...new Uint8Array(1024).fill(30)]; // prettier-ignore
    await writeFile(path, Uint8Array.from([...record(0), ...record(7)]));
    const nhwc: ModelInput[] = [{ name: 'input', dtype: 'float32', dims: [2, 32, 32, 3] }];
    const batch = await firstBatch({ path, scale: 10, mean: [0, 1, 2] }, nhwc);
    expect(batch.labels).toEqual(Int32Array.of(0, 7));
    expect(numbers(batch).slice(0, 6)).toEqual([1, 1, 1, 1, 1, 1]);
    const bgr = await firstBatch({ path, scale: 10, channelOrder: 'bgr' }, nchw(3, 32));
    expect([0, 1024, 2048].map((at) => numbers(bgr)[at])).toEqual([3, 2, 1]);
  });

  it('says what is wrong with a path', async () => {
    await expect(openData(join(folder, 'none.npz'), nchw(1, 2))).rejects.toThrow(
      /can't read data '.*none\.npz' \(ENOENT\); check the path/,
    );
    const path = join(folder, 'text.csv');
    await writeFile(path, 'a,b\n1,2\n');
    await expect(openData(path, nchw(1, 2))).rejects.toThrow(/unknown data format: .*text\.csv/);
    await expect(openData({ path, batch: 0 }, nchw(1, 2))).rejects.toThrow('invalid batch: 0');
    await expect(openData({ path, std: 0 }, nchw(1, 2))).rejects.toThrow('invalid std: 0');
  });

  it('makes noise for a model without data', async () => {
    expect((await openData('random', nchw(3, 8))).description).toBe('random noise, seed 0, 32 examples');
  });
});

describe('a folder of images', () => {
  const color = (r: number, g: number, b: number, width = 4, height = 4) =>
    sharp({ create: { width, height, channels: 3, background: { r, g, b } } }).png();

  beforeAll(async () => {
    for (const name of ['cat', 'ant']) await mkdir(join(folder, 'pets', name), { recursive: true });
    await color(255, 0, 0).toFile(join(folder, 'pets', 'cat', 'b.png'));
    await color(0, 255, 0).toFile(join(folder, 'pets', 'cat', 'a.png'));
    await color(0, 0, 255).toFile(join(folder, 'pets', 'ant', 'z.png'));
    await writeFile(join(folder, 'pets', 'ant', 'notes.txt'), 'no image');
  });

  it('labels by sub-folder, in order, RGB planar', async () => {
    const path = join(folder, 'pets');
    const batch = await firstBatch({ path }, nchw(3, 4));
    expect(batch.labels).toEqual(Int32Array.of(0, 1, 1));
    const corner = (image: number) => [0, 1, 2].map((channel) => numbers(batch)[(image * 3 + channel) * 16]);
    expect([corner(0), corner(1), corner(2)]).toEqual([[0, 0, 1], [0, 1, 0], [1, 0, 0]]); // prettier-ignore
    const named = await firstBatch({ path, classes: ['dog', 'cat', 'ant'].slice(1) }, nchw(3, 4));
    expect(named.labels).toEqual(Int32Array.of(0, 0, 1));
    const limited = await firstBatch({ path, limit: 2 }, nchw(3, 4));
    expect(limited.labels).toEqual(Int32Array.of(0, 1));
  });

  it('resizes the shorter side and crops the centre', async () => {
    await mkdir(join(folder, 'wide'));
    const left = await color(255, 255, 255, 20, 40).toBuffer();
    await sharp({ create: { width: 80, height: 40, channels: 3, background: 'black' } })
      .composite([{ input: left, left: 0, top: 0 }])
      .toFile(join(folder, 'wide', 'a.png'));
    // 80 × 40 to 20 × 10: white ends at column 5, which is where the centre crop of 10 begins.
    const batch = await firstBatch({ path: join(folder, 'wide'), resize: 10 }, nchw(1, 10));
    expect(batch.labels).toBeUndefined();
    expect(Math.max(...numbers(batch).filter((_, i) => i % 10 > 0))).toBeLessThan(0.1);
    const whole = await firstBatch({ path: join(folder, 'wide'), resize: 20, crop: [20, 20] }, [
      { name: 'input', dtype: 'uint8', dims: ['n', 'h', 'w', 3] },
    ]);
    expect(whole.inputs['input']!.dims).toEqual([1, 20, 20, 3]);
    await expect(openData({ path: join(folder, 'wide'), resize: 8 }, nchw(1, 10))).rejects.toThrow(
      'invalid resize: 8',
    );
    await expect(
      openData(join(folder, 'wide'), [{ name: 'input', dtype: 'float32', dims: ['n', 3, 'h', 'w'] }]),
    ).rejects.toThrow('give crop');
  });

  it('names an image that is damaged, and a folder without any', async () => {
    await mkdir(join(folder, 'bad', 'x'), { recursive: true });
    await expect(openData(join(folder, 'bad'), nchw(3, 4))).rejects.toThrow(/no images in '.*bad'/);
    await writeFile(join(folder, 'bad', 'x', 'broken.jpg'), 'not a jpeg');
    await expect(firstBatch({ path: join(folder, 'bad') }, nchw(3, 4))).rejects.toThrow(
      /can't decode image '.*broken\.jpg'/,
    );
  });
});
