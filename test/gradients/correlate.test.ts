import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { correlate, type CorrelationSizes } from '../../src/gradients/correlate.js';
import { Emitter } from '../../src/gradients/emitter.js';
import type { Windows } from '../../src/gradients/windows.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { graphModel, tensorInfo } from '../../src/onnx/graph-model.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { Draw, coordinates, count, nd, type Nd } from './reference/nd.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

/** Σ over examples and positions, in doubles and by its definition. */
function reference(large: Nd, small: Nd, w: Windows, { n, groups, a, b }: CorrelationSizes): Nd {
  const dims = [groups * a, b, ...w.kernel];
  const planes = count(w.sizes);
  const spots = Array.from({ length: count(w.positions) }, (_, i) => coordinates(i, w.positions));
  return nd(dims, (index) => {
    const [row, column, ...tap] = coordinates(index, dims) as [number, number, ...number[]];
    const channel = Math.floor(row / a) * b + column;
    let sum = 0;
    spots.forEach((spot, o) => {
      const at = spot.map((p, i) => p * w.strides[i]! + tap[i]! * w.dilations[i]! - w.begins[i]!);
      if (at.some((p, i) => p < 0 || p >= w.sizes[i]!)) return;
      const place = at.reduce((whole, p, i) => whole * w.sizes[i]! + p, 0);
      for (let example = 0; example < n; example++)
        sum +=
          small.data[(example * groups * a + row) * spots.length + o]! *
          large.data[(example * groups * b + channel) * planes + place]!;
    });
    return sum;
  });
}

interface Shape {
  readonly a: readonly [number, number];
  readonly b: readonly [number, number];
  readonly positions: readonly [number, number];
  readonly stride: number;
}

function windows(draw: Draw, rank: number, { positions: range, stride }: Shape): Windows {
  const kernel = draw.dims(rank, 1, 4);
  const dilations = draw.dims(rank, 1, 3);
  const strides = draw.dims(rank, 1, stride);
  const positions = draw.dims(rank, ...range);
  const reach = kernel.map((k, i) => (positions[i]! - 1) * strides[i]! + (k - 1) * dilations[i]! + 1);
  // From windows that lie inside to kernels most of which read nothing but padding.
  const begins = reach.map((size) => draw.int(0, size - 1));
  const sizes = reach.map((size, i) => Math.max(1, size - begins[i]! - draw.int(-2, size - 1)));
  return { kernel, strides, dilations, begins, positions, sizes };
}

async function agrees(draw: Draw, rank: number, shape: Shape): Promise<void> {
  const own = windows(draw, rank, shape);
  const sizes = {
    n: draw.int(1, 3),
    groups: draw.int(1, 3),
    a: draw.int(...shape.a),
    b: draw.int(...shape.b),
  };
  const large = draw.uniform([sizes.n, sizes.groups * sizes.b, ...own.sizes]);
  const small = draw.uniform([sizes.n, sizes.groups * sizes.a, ...own.positions]);
  const emit = new Emitter('v', 17);
  const output = correlate(emit, 'large', 'small', own, sizes);
  const model = graphModel({
    nodes: emit.nodes,
    inputs: [tensorInfo('large', 'float32', large.dims), tensorInfo('small', 'float32', small.dims)],
    outputs: [output],
    initializers: emit.initializers,
    opset: 17,
  });
  const session = await runtime.load(encodeModel(model));
  const feed = ({ data, dims }: Nd) => runtime.tensor('float32', Float32Array.from(data), dims);
  const found = (await session.run({ large: feed(large), small: feed(small) }))[output]!;
  await session.release();
  const expected = reference(large, small, own, sizes);
  const what = JSON.stringify({ ...own, ...sizes });
  expect(found.dims, what).toEqual(expected.dims);
  const largest = expected.data.reduce((max, v) => Math.max(max, Math.abs(v)), 0);
  const off = expected.data.reduce((max, v, i) => Math.max(max, Math.abs(v - Number(found.data[i]))), 0);
  expect(off, what).toBeLessThanOrEqual(1e-4 * largest + 1e-6);
}

/** Thin and wide factors, depthwise in short and in long rows: each is multiplied in another way. */
const shapes: Readonly<Record<string, Shape & { readonly runs: number }>> = {
  thin: { a: [1, 5], b: [1, 5], positions: [1, 6], stride: 3, runs: 30 },
  wide: { a: [33, 36], b: [33, 36], positions: [1, 5], stride: 2, runs: 10 },
  'wide and thin': { a: [33, 36], b: [1, 3], positions: [2, 6], stride: 2, runs: 10 },
  depthwise: { a: [1, 1], b: [1, 1], positions: [1, 8], stride: 3, runs: 20 },
  'depthwise, large': { a: [1, 1], b: [1, 1], positions: [30, 48], stride: 2, runs: 10 },
};

for (const [name, shape] of Object.entries(shapes))
  it.each([1, 2, 3])(
    `correlates ${name} sides as by definition, rank %i`,
    { timeout: 60_000 },
    async (rank) => {
      // In three dimensions large sides say nothing more and take long.
      const own = rank === 3 ? { ...shape, positions: [1, 3] as const } : shape;
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), (seed) =>
          agrees(new Draw(`${name}:${rank}:${seed}`), rank, own),
        ),
        { numRuns: shape.runs, endOnFailure: true },
      );
    },
  );
