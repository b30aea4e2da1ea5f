import type { Tensor as RuntimeTensor } from 'onnxruntime-common';
import { beforeAll, expect, it } from 'vitest';
import { randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import type { ConvGeometry } from '../../src/statistics/geometry.js';
import { MomentSession, type MomentSpec } from '../../src/statistics/layer-moments.js';
import { SecondMoments } from '../../src/statistics/second-moments.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

/** Far from zero, so that a formula that squares before it centres would lose digits. */
function values(count: number, seed: string): Float32Array<ArrayBuffer> {
  const random = randomGenerator(seed);
  return Float32Array.from({ length: count }, () => 10 + random());
}

interface Case {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly geometry: ConvGeometry;
  readonly inputs?: readonly number[];
  readonly outputs?: readonly number[];
  readonly groups?: number;
}

const plain = { strides: [1, 1], dilations: [1, 1], pads: [[0, 0], [0, 0]] } as const; // prettier-ignore
const cases: readonly Case[] = [
  {
    name: 'a 1×1 kernel',
    x: [2, 3, 4, 5],
    y: [2, 2, 4, 5],
    geometry: { ...plain, groups: 1, kernel: [1, 1] },
  },
  {
    name: 'strides, uneven pads and dilation',
    x: [2, 3, 7, 8],
    y: [2, 2, 3, 4],
    geometry: { groups: 1, kernel: [3, 2], strides: [2, 2], dilations: [2, 1], pads: [[1, 2], [0, 1]] }, // prettier-ignore
    inputs: [0, 2],
    outputs: [1],
  },
  {
    name: 'groups of which two of three stay',
    x: [3, 6, 5, 5],
    y: [3, 9, 5, 5],
    geometry: { ...plain, groups: 3, kernel: [3, 3], pads: [[1, 1], [1, 1]] }, // prettier-ignore
    inputs: [0, 1, 4, 5],
    outputs: [0, 2, 6, 8],
    groups: 2,
  },
  {
    name: 'one spatial axis, depthwise',
    x: [2, 4, 9],
    y: [2, 4, 9],
    geometry: { groups: 4, kernel: [3], strides: [1], dilations: [1], pads: [[2, 0]] },
    groups: 4,
  },
];

it.each(cases)('of a convolution with $name are those of its windows in float64', async (given) => {
  const { geometry, groups = 1 } = given;
  const inputs = given.inputs ?? range(given.x[1]!);
  const outputs = given.outputs ?? range(given.y[1]!);
  const spec: MomentSpec = {
    source: { kind: 'conv', geometry },
    xDtype: 'float32',
    yDtype: 'float32',
    groups,
    inputs: inputs.length / groups,
    outputs: outputs.length / groups,
    keptInputs: given.inputs && Int32Array.from(inputs),
    keptOutputs: given.outputs && Int32Array.from(outputs),
    shortcut: undefined,
  };
  const entries = geometry.kernel.reduce((a, b) => a * b, 1);
  const moments = new SecondMoments(groups, spec.inputs * entries, spec.outputs);
  const session = await MomentSession.open(runtime, spec);
  const rows = Array.from({ length: groups }, (): { x: number[]; y: number[] }[] => []);
  for (const batch of [0, 1, 2]) {
    const x = tensor(given.x, `x${batch}`);
    const y = tensor(given.y, `y${batch}`);
    const spatial = given.y.slice(2).reduce((a, b) => a * b, 1);
    const drawn = Int32Array.from(range(spatial).filter((p) => p % 3 !== batch));
    await session.add(moments, x, y, undefined, () => drawn);
    for (let image = 0; image < given.x[0]!; image++)
      for (const position of drawn)
        for (let g = 0; g < groups; g++) {
          const mine = inputs.slice(g * spec.inputs, (g + 1) * spec.inputs);
          const made = outputs.slice(g * spec.outputs, (g + 1) * spec.outputs);
          rows[g]!.push({
            x: window(x, given, image, position, mine),
            y: made.map((c) => y.data[(image * given.y[1]! + c) * spatial + position] as number),
          });
        }
  }
  await session.release();
  for (let g = 0; g < groups; g++) expectMoments(moments, g, rows[g]!);
});

it('of a linear layer are those of its rows, with what a shortcut lacks added to the wanted output', async () => {
  const columns = 5;
  const spec: MomentSpec = {
    source: { kind: 'linear', columns, outputs: 3, transposed: false },
    xDtype: 'float32',
    yDtype: 'float32',
    groups: 1,
    inputs: 2,
    outputs: 3,
    keptInputs: Int32Array.from([1, 4]),
    keptOutputs: undefined,
    shortcut: Float32Array.from([1, 0.5, 0]),
  };
  const session = await MomentSession.open(runtime, spec);
  const moments = new SecondMoments(1, 2, 3);
  const [x, y, a, b] = [tensor([2, 4, 5], 'x'), ...['y', 'a', 'b'].map((seed) => tensor([2, 4, 3], seed))];
  await session.add(moments, x, y!, [a!, b!], (count) => Int32Array.from(range(count)));
  await session.release();
  const at = (from: RuntimeTensor, i: number): number => from.data[i] as number;
  expectMoments(
    moments,
    0,
    range(8).map((row) => ({
      x: [1, 4].map((c) => at(x, row * columns + c)),
      y: [1, 0.5, 0].map((scale, c) => {
        const i = row * 3 + c;
        return at(y!, i) + scale * (at(a!, i) - at(b!, i));
      }),
    })),
  );
});

it('of many blocks are the same as of one', () => {
  const rows = range(40).map((i) => ({ x: [...values(3, `x${i}`)], y: [...values(2, `y${i}`)] }));
  const streamed = new SecondMoments(1, 3, 2);
  for (let start = 0; start < 40; start += 7) {
    const part = rows.slice(start, start + 7);
    const { xMean, yMean, xx, yx, yy } = direct(part);
    streamed.add({ rows: part.length, xMean, yMean, xx, yx, yy });
  }
  expectMoments(streamed, 0, rows, 1e-11);
});

function tensor(dims: readonly number[], seed: string): RuntimeTensor {
  return runtime.tensor('float32', values(dims.reduce((a, b) => a * b, 1), seed), dims); // prettier-ignore
}

/** One im2col row, straight from the definition of a convolution; zero outside the image. */
function window(
  x: RuntimeTensor,
  { geometry, y }: Case,
  image: number,
  position: number,
  channels: readonly number[],
): number[] {
  const [, all = 0, ...sizes] = x.dims;
  const out: number[] = [];
  const target = unflatten(position, y.slice(2));
  const entries = geometry.kernel.reduce((a, b) => a * b, 1);
  for (let e = 0; e < entries; e++) {
    const offset = unflatten(e, geometry.kernel);
    const at = target.map((t, i) => t * geometry.strides[i]! - geometry.pads[i]![0] + offset[i]! * geometry.dilations[i]!); // prettier-ignore
    const inside = at.every((p, i) => p >= 0 && p < sizes[i]!);
    for (const channel of channels) {
      let flat = image * all + channel;
      at.forEach((p, i) => (flat = flat * sizes[i]! + p));
      out.push(inside ? (x.data[flat] as number) : 0);
    }
  }
  return out;
}

function unflatten(flat: number, dims: readonly number[]): number[] {
  const out: number[] = [];
  let rest = flat;
  for (const dim of dims.toReversed()) {
    out.unshift(rest % dim);
    rest = Math.floor(rest / dim);
  }
  return out;
}

interface Row {
  readonly x: readonly number[];
  readonly y: readonly number[];
}

function direct(rows: readonly Row[]) {
  const mean = (lists: readonly (readonly number[])[]): number[] =>
    lists[0]!.map((_, i) => lists.reduce((sum, list) => sum + list[i]!, 0) / lists.length);
  const [xMean, yMean] = [mean(rows.map(({ x }) => x)), mean(rows.map(({ y }) => y))];
  const centred = rows.map(({ x, y }) => ({
    x: x.map((v, i) => v - xMean[i]!),
    y: y.map((v, i) => v - yMean[i]!),
  }));
  const sum = (of: (row: Row) => number): number => centred.reduce((total, row) => total + of(row), 0);
  return {
    xMean,
    yMean,
    xx: xMean.flatMap((_, i) => xMean.map((__, j) => sum(({ x }) => x[i]! * x[j]!))),
    yx: yMean.flatMap((_, i) => xMean.map((__, j) => sum(({ x, y }) => y[i]! * x[j]!))),
    yy: yMean.map((_, i) => sum(({ y }) => y[i]! * y[i]!)),
  };
}

/** Within 1e-5 of the float64 figures, relative to the largest of each kind. */
function expectMoments(moments: SecondMoments, group: number, rows: readonly Row[], tolerance = 1e-5): void {
  const expected = direct(rows);
  expect(moments.rows).toBe(rows.length);
  for (const key of ['xMean', 'yMean', 'xx', 'yx', 'yy'] as const) {
    const wanted = expected[key];
    const got = moments[key].subarray(group * wanted.length, (group + 1) * wanted.length);
    const scale = Math.max(...wanted.map(Math.abs));
    wanted.forEach((value, i) => expect(Math.abs(got[i]! - value) / scale, `${key}[${i}]`).toBeLessThan(tolerance)); // prettier-ignore
  }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
