import { describe, expect, it } from 'vitest';
import type { Batch, DataSource, ModelInput } from '../../src/data/batch.js';
import { dataFromArrays, dataFromBatches } from '../../src/data/batches.js';
import { noiseData } from '../../src/data/noise.js';
import { drawOrder } from '../../src/data/order.js';
import { examplesOf } from '../../src/data/slices.js';
import { PruneError } from '../../src/errors.js';

const image: ModelInput = { name: 'x', dtype: 'float32', dims: ['n', 1, 2, 2] };
const count = (n: number, per = 4) => Float32Array.from({ length: n * per }, (_, i) => i);

async function all(data: DataSource): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of data) batches.push(batch);
  return batches;
}

async function failure(data: () => DataSource): Promise<string> {
  try {
    await all(data());
  } catch (error) {
    if (!(error instanceof PruneError)) throw error;
    return `${error.code}: ${error.message}`;
  }
  return 'none';
}

describe('dataFromArrays', () => {
  it('batches in order; the last batch of a dynamic model is short', async () => {
    const data = dataFromArrays({ x: { data: count(5), dims: [5, 1, 2, 2] } }, [image], {
      batch: 2,
      labels: [4, 3, 2, 1, 0],
    });
    expect([data.count, data.labelled]).toEqual([5, true]);
    const batches = await all(data);
    expect(batches.map(({ size, valid }) => [size, valid])).toEqual([[2, 2], [2, 2], [1, 1]]); // prettier-ignore
    expect(batches[1]).toEqual({
      inputs: { x: { dtype: 'float32', dims: [2, 1, 2, 2], data: count(5).subarray(8, 16) } },
      labels: Int32Array.of(2, 1),
      size: 2,
      valid: 2,
    });
    expect(await all(data)).toEqual(batches);
  });

  it('pads the last batch of a fixed model by repeating', async () => {
    const fixed: ModelInput = { ...image, dims: [3, 1, 2, 2] };
    const data = dataFromArrays({ x: { data: count(4), dims: [4, 1, 2, 2] } }, [fixed], {
      labels: [0, 1, 2, 3],
    });
    const last = (await all(data))[1]!;
    expect([last.size, last.valid]).toEqual([3, 1]);
    expect(last.labels).toEqual(Int32Array.of(3, 3, 3));
    expect(Array.from(last.inputs['x']!.data as Float32Array)).toEqual([
      12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15,
    ]);
    expect(() =>
      dataFromArrays({ x: { data: count(4), dims: [4, 1, 2, 2] } }, [fixed], { batch: 2 }),
    ).toThrow('invalid batch: 2; the model takes 3 only, leave batch out');
  });

  it('adds, drops and folds axes of examples as the model asks, nothing else', async () => {
    for (const dims of [
      [2, 2, 2],
      [2, 1, 2, 2],
      [2, 2, 2, 1],
      [2, 4],
    ]) {
      // prettier-ignore
      const [batch] = await all(dataFromArrays({ x: { data: count(2), dims } }, [image]));
      expect(batch!.inputs['x']!.dims).toEqual([2, 1, 2, 2]);
    }
    expect(await failure(() => dataFromArrays({ x: { data: count(2), dims: [1, 2, 2, 2] } }, [image]))).toBe(
      "invalid-data: input 'x' expects [n, 1, 2, 2], got [1, 2, 2, 2]; the first axis counts examples, the others must be as the model says",
    );
  });

  it('normalises by channel and converts to the dtype of the input', async () => {
    const input: ModelInput = { name: 'x', dtype: 'float64', dims: [undefined, 2, 1] };
    const options = { scale: 2, mean: [0, 1], std: [1, 4] };
    const [batch] = await all(
      dataFromArrays({ x: { data: Uint8Array.of(2, 10, 4, 18), dims: [2, 2, 1] } }, [input], options),
    );
    expect(batch!.inputs['x']).toEqual({
      dtype: 'float64',
      dims: [2, 2, 1],
      data: Float64Array.of(1, 1, 2, 2),
    });
    const three = { ...options, mean: [0, 1, 2] };
    expect(
      await failure(() =>
        dataFromArrays({ x: { data: Uint8Array.of(2, 10), dims: [1, 2, 1] } }, [input], three),
      ),
    ).toBe(
      "invalid-option: input 'x' of shape [1, 2, 1] has no axis of 3 channels; give one mean and std, or one a channel",
    );
  });

  it('carries other arrays as extras, in the drawn order', async () => {
    const ids: ModelInput = { name: 'ids', dtype: 'int64', dims: ['n', 'seq'] };
    const arrays = {
      ids: { data: Int32Array.of(0, 0, 1, 1, 2, 2, 3, 3), dims: [4, 2] },
      boxes: { data: Float32Array.of(0, 10, 20, 30), dims: [4, 1] },
    };
    const [batch] = await all(dataFromArrays(arrays, [ids], { draw: 'shuffle', seed: 1, limit: 3 }));
    const drawn = Array.from(batch!.inputs['ids']!.data as BigInt64Array, Number).filter(
      (_, i) => i % 2 === 0,
    );
    expect(new Set(drawn).size).toBe(3);
    expect(Array.from(batch!.extras!['boxes']!.data as Float32Array)).toEqual(drawn.map((id) => id * 10));
  });

  it('names what is wrong', async () => {
    const pair: ModelInput[] = [image, { name: 'mask', dtype: 'bool', dims: ['n'] }];
    const x = { data: count(2), dims: [2, 1, 2, 2] };
    expect(await failure(() => dataFromArrays({ x }, pair))).toBe(
      "invalid-data: no data for input 'mask', the data has x; name arrays by the model's inputs",
    );
    expect(
      await failure(() => dataFromArrays({ x, mask: { data: new Uint8Array(3), dims: [3] } }, pair)),
    ).toContain("array 'mask' of 'arrays' has 3 examples, 'x' has 2");
    expect(
      await failure(() => dataFromArrays({ x, mask: { data: Uint8Array.of(0, 2), dims: [2] } }, pair)),
    ).toContain("input 'mask' expects bool, got 2");
    expect(
      await failure(() => dataFromArrays({ x: { data: count(1), dims: [2, 1, 2, 2] } }, [image])),
    ).toContain("array 'x' has 4 elements, its shape [2, 1, 2, 2] 8");
    expect(
      await failure(() => dataFromArrays({ x: { data: count(0), dims: [0, 1, 2, 2] } }, [image])),
    ).toContain('no examples');
    expect(await failure(() => dataFromArrays({ x }, [image], { labels: [1] }))).toContain(
      "'labels' has 1 labels for 2 examples",
    );
    const disagree: ModelInput[] = [
      { ...image, dims: [1, 1, 2, 2] },
      { name: 'mask', dtype: 'bool', dims: [2] },
    ];
    expect(
      await failure(() => dataFromArrays({ x, mask: { data: new Uint8Array(2), dims: [2] } }, disagree)),
    ).toContain('inputs share no batch axis (x [1, 1, 2, 2], mask [2])');
  });
});

describe('dataFromBatches', () => {
  const tokens: ModelInput[] = [
    { name: 'ids', dtype: 'int64', dims: ['n', 'seq'] },
    { name: 'mask', dtype: 'float16', dims: ['n', 'seq'] },
  ];
  const ids = { data: new BigInt64Array(6), dims: [2, 3] };

  it('passes a stream through, reading float16 bits for what they are', async () => {
    async function* stream() {
      await Promise.resolve();
      yield {
        inputs: { ids, mask: { data: new Uint16Array(6).fill(0x3c00), dims: [2, 3] } },
        labels: [1n, 0n],
        valid: 1,
      };
    }
    const [batch] = await all(dataFromBatches(stream(), tokens));
    expect([batch!.size, batch!.valid, batch!.inputs['mask']!.dtype]).toEqual([2, 1, 'float16']);
    expect(batch!.labels).toEqual(Int32Array.of(1, 0));
  });

  it.each([
    [
      'unequal symbols',
      { ids, mask: { data: new Uint16Array(8), dims: [2, 4] } },
      "input 'mask' expects [n, seq], got [2, 4]",
    ],
    [
      'a wrong dtype',
      { ids, mask: { data: new Float32Array(6), dims: [2, 3] } },
      "input 'mask' expects float16, got float32",
    ],
    ['a wrong rank', { ids: { ...ids, dims: [6] }, mask: ids }, "input 'ids' expects [n, seq], got [6]"],
    [
      'too few elements',
      { ids: { ...ids, dims: [2, 4] }, mask: ids },
      "input 'ids' of shape [2, 4] needs 8 elements, got 6",
    ],
    [
      'an unknown name',
      { ids, mask: { data: new Uint16Array(6), dims: [2, 3] }, type: ids },
      "no input 'type' in the model",
    ],
  ])('refuses %s', async (_, inputs, message) => {
    expect(await failure(() => dataFromBatches([{ inputs }], tokens))).toContain(`invalid-data: ${message}`);
  });
});

describe('noiseData', () => {
  it('fits the model and does not depend on the batch size', async () => {
    const inputs: ModelInput[] = [image, { name: 'ids', dtype: 'int64', dims: ['n', 'seq'] }];
    const shapes = { ids: [1, 7] };
    const joined = (batches: Batch[], name: string) => batches.flatMap(({ inputs }) => Array.from(inputs[name]!.data as Float32Array)); // prettier-ignore
    const small = await all(noiseData(inputs, { shapes, seed: 3, batch: 5, limit: 64, integersBelow: 9 }));
    const large = await all(noiseData(inputs, { shapes, seed: 3, batch: 64, limit: 64, integersBelow: 9 }));
    const other = await all(noiseData(inputs, { shapes, seed: 4, batch: 64, limit: 64, integersBelow: 9 }));
    for (const name of ['x', 'ids']) {
      expect(joined(small, name)).toEqual(joined(large, name));
      expect(joined(small, name)).not.toEqual(joined(other, name));
    }
    expect(small[0]!.inputs['ids']!.dims).toEqual([5, 7]);
    expect(new Set(joined(large, 'ids').map(Number))).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7, 8]));
  });

  it('asks for sizes of symbolic dims', async () => {
    const ids: ModelInput = { name: 'ids', dtype: 'int64', dims: ['n', 'seq'] };
    expect(await failure(() => noiseData([ids]))).toBe(
      "invalid-option: no size for dim 1 of input 'ids' [n, seq]; give its shape, such as ids=1,128",
    );
  });
});

describe('drawOrder', () => {
  const labels = Int32Array.of(0, 0, 0, 0, 0, 0, 7, 7, 3);

  it('draws the same for the same seed, without repeats', () => {
    const order = drawOrder(100, undefined, { draw: 'shuffle', seed: 5, limit: 40 });
    expect(order).toEqual(drawOrder(100, undefined, { draw: 'shuffle', seed: 5, limit: 40 }));
    expect(order).not.toEqual(drawOrder(100, undefined, { draw: 'shuffle', seed: 6, limit: 40 }));
    expect(new Set(order).size).toBe(40);
    expect(drawOrder(3, undefined, { limit: 9 })).toEqual(Uint32Array.of(0, 1, 2));
  });

  it('balances classes in every stretch, then uses up the larger ones', () => {
    const drawn = drawOrder(9, labels, { draw: 'balanced', seed: 1 });
    expect(Array.from(drawn, (index) => labels[index])).toEqual([0, 3, 7, 0, 7, 0, 0, 0, 0]);
    expect(new Set(drawn).size).toBe(9);
    expect(() => drawOrder(9, undefined, { draw: 'balanced' })).toThrow('a balanced draw needs labels');
  });
});

describe('inputs of a model with states', () => {
  const stateful: readonly ModelInput[] = [
    { name: 'x', dtype: 'float32', dims: ['batch', 2] },
    { name: 'state', dtype: 'float32', dims: [2, 'batch', 3] },
    { name: 'rate', dtype: 'float32', dims: [] },
  ];
  const counting = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => i);

  it('are taken along the axis that counts examples, and scalars go to all', async () => {
    const arrays = {
      x: { data: counting(10), dims: [5, 2] },
      state: { data: counting(30), dims: [2, 5, 3] },
      rate: { data: Float32Array.of(16), dims: [] },
    };
    const batches = [];
    for await (const batch of dataFromArrays(arrays, stateful, { batch: 2 })) batches.push(batch);
    expect(batches.map(({ size }) => size)).toEqual([2, 2, 1]);
    const { state, rate } = batches[1]!.inputs;
    expect(state!.dims).toEqual([2, 2, 3]);
    expect([...state!.data]).toEqual([6, 7, 8, 9, 10, 11, 21, 22, 23, 24, 25, 26]);
    expect([rate!.dims, [...rate!.data]]).toEqual([[], [16]]);
  });

  it('have to be as many', () => {
    const arrays = {
      x: { data: counting(10), dims: [5, 2] },
      state: { data: counting(24), dims: [2, 4, 3] },
      rate: { data: Float32Array.of(16), dims: [] },
    };
    expect(() => dataFromArrays(arrays, stateful)).toThrow(
      "array 'state' of 'arrays' has 4 examples, 'x' has 5",
    );
  });
});

describe('examples of a source', () => {
  const inputs: readonly ModelInput[] = [{ name: 'x', dtype: 'float32', dims: ['n', 1] }];
  const source = dataFromArrays(
    { x: { data: Float32Array.from({ length: 10 }, (_, i) => i), dims: [10, 1] } },
    inputs,
    { batch: 4 },
  );
  const read = async (from: number, to: number, size?: number): Promise<number[][]> => {
    const found = [];
    for await (const batch of examplesOf(source, from, to, size))
      found.push([...batch.inputs['x']!.data].map(Number));
    return found;
  };

  it('are cut out of batches, in smaller ones where asked for', async () => {
    expect(await read(3, 9)).toEqual([[3], [4, 5, 6, 7], [8]]);
    expect(await read(3, 9, 3)).toEqual([[3], [4, 5, 6], [7], [8]]);
    expect(examplesOf(source, 3, 9).count).toBe(6);
  });
});
