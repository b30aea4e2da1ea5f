import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { leadingSums } from '../../src/members/sums.js';
import { readModel, writeModel } from '../../src/files/model-file.js';
import { MemoryBytes } from '../../src/onnx/bytes.js';
import { floatTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import type { sumsInThreads } from '../../src/threads/weight-sums.js';
import { root, scratch } from '../cli/run.js';
import { graph, model, node } from '../onnx/build.js';

const folder = scratch();
// Threads run what is built.
const built = (await import(join(root, 'dist', 'threads', 'weight-sums.js'))) as {
  sumsInThreads: typeof sumsInThreads;
};

const random = randomGenerator('threads');
const weight = (name: string, ...dims: number[]) =>
  floatTensor(
    name,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => normal(random)),
    dims,
    'float16',
  );

// With one core there are no threads.
describe.runIf(availableParallelism() > 1)('sums in threads', () => {
  it('are those of one thread, for what lies in files', async () => {
    const tensors = [weight('a', 40, 30), weight('b', 17, 9, 5), weight('c', 200), weight('d', 10, 1000)];
    const path = join(folder, 'm.onnx');
    await writeModel(model(graph([node('Relu', ['x'], ['y'])], ['x'], ['y'], tensors)), path, {
      externalData: 'always',
    });
    const { initializers } = (await readModel(path)).graph;
    const sums = await built.sumsInThreads(initializers, 2, undefined, 0);
    // `c` is small and stays inline, in memory.
    expect([...sums.keys()].map(({ name }) => name).sort()).toEqual(['a', 'b', 'd']);
    for (const [tensor, own] of sums) expect(own).toEqual(leadingSums(tensor, 2));
    expect((await built.sumsInThreads(initializers, 2)).size).toBe(0);
  });

  it('fail as reading fails', async () => {
    const path = join(folder, 'gone.onnx');
    await writeModel(model(graph([], [], [], [weight('a', 40, 30), weight('b', 40, 30)])), path, {
      externalData: 'always',
    });
    const { initializers } = (await readModel(path)).graph;
    const data = Object.assign(new MemoryBytes(new Uint8Array(2400)), {
      ...{ storage: 'external' as const, bytes: () => new Uint8Array(2400) },
      file: { path: join(folder, 'missing'), offset: 0 },
    });
    const missing = initializers.map((tensor) => ({ ...tensor, data }));
    await expect(built.sumsInThreads(missing, 2, undefined, 0)).rejects.toMatchObject({
      code: 'invalid-file',
    });
  });
});
