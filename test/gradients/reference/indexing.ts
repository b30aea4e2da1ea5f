import { coordinates, count, flat, nd, picked, type Cases, type Draw, type MakeCase, type Nd } from './nd.js';

const integers = (draw: Draw, dims: readonly number[], below: number) => ({
  dims,
  data: Array.from({ length: count(dims) }, () => draw.int(0, below - 1)),
});

const slice: MakeCase = (draw) => {
  const dims = draw.dims(3, 3, 5);
  const step = draw.pick([1, 2, -1, -2]);
  const [start, end] = step > 0 ? [draw.int(0, 1), draw.pick([100, -1])] : [draw.pick([-1, 100]), -100];
  const first = step > 0 ? start : dims[1]! - 1;
  const last = step > 0 ? (end < 0 ? dims[1]! - 1 : dims[1]!) : -1;
  const length = Math.ceil((last - first) / step);
  const out = [dims[0]!, length, dims[2]! - 1];
  return {
    inputs: [draw.uniform(dims)],
    integers: {
      1: { dims: [2], data: [start, 1] },
      2: { dims: [2], data: [end, 1000] },
      3: { dims: [2], data: [1, -1] },
      4: { dims: [2], data: [step, 1] },
    },
    forward: ([x]) => [picked(out, x!, ([a, b, c]) => [a!, first + b! * step, c! + 1])],
  };
};

/** Indices that may repeat (scatter) or not (put back), of any rank. */
const gather =
  (kind: 'repeated' | 'distinct' | 'scalar'): MakeCase =>
  (draw) => {
    const dims = draw.dims(3, 2, 4);
    const axis = draw.int(0, 2);
    const size = dims[axis]!;
    const index =
      kind === 'scalar'
        ? { dims: [], data: [draw.int(-size, size - 1)] }
        : kind === 'distinct'
          ? { dims: [2], data: draw.permutation(size).slice(0, 2) }
          : { dims: [2, size], data: Array.from({ length: 2 * size }, () => draw.int(-size, size - 1)) };
    const out = [...dims.slice(0, axis), ...index.dims, ...dims.slice(axis + 1)];
    return {
      inputs: [draw.uniform(dims)],
      integers: { 1: index },
      attributes: { axis },
      forward: ([x]) => [
        picked(out, x!, (at) => {
          const own = at.slice(axis, axis + index.dims.length);
          const value = index.data[flat(own, index.dims)]!;
          return [
            ...at.slice(0, axis),
            value < 0 ? value + size : value,
            ...at.slice(axis + index.dims.length),
          ];
        }),
      ],
    };
  };

const gatherElements: MakeCase = (draw) => {
  const dims = draw.dims(2, 2, 4);
  const index = integers(draw, [dims[0]!, 3], dims[1]!);
  return {
    inputs: [draw.uniform(dims)],
    integers: { 1: index },
    attributes: { axis: 1 },
    forward: ([x]) => [picked(index.dims, x!, ([i, j]) => [i!, index.data[flat([i!, j!], index.dims)]!])],
  };
};

const gatherNd: MakeCase = (draw) => {
  const dims = draw.dims(3, 2, 3);
  const data = [0, 1, 2].flatMap(() => [draw.int(0, dims[0]! - 1), draw.int(0, dims[1]! - 1)]);
  return {
    inputs: [draw.uniform(dims)],
    integers: { 1: { dims: [3, 2], data } },
    forward: ([x]) => [picked([3, dims[2]!], x!, ([i, k]) => [data[2 * i!]!, data[2 * i! + 1]!, k!])],
  };
};

/** Writes (or adds) updates at distinct places. */
const scatter =
  (reduction: 'none' | 'add', kind: 'elements' | 'nd'): MakeCase =>
  (draw) => {
    const dims = [4, draw.int(1, 3)];
    const rows = draw.permutation(4).slice(0, 2);
    const updates = [2, dims[1]!];
    const data = kind === 'nd' ? rows : rows.flatMap((row) => new Array<number>(dims[1]!).fill(row));
    return {
      inputs: [draw.uniform(dims), draw.uniform(updates)],
      places: [0, 2],
      integers: { 1: { dims: kind === 'nd' ? [2, 1] : updates, data } },
      attributes: { reduction, ...(kind === 'elements' && { axis: 0 }) },
      opset: 18,
      forward: ([x, u]) => {
        const y: Nd = { dims, data: x!.data.slice() };
        u!.data.forEach((value, i) => {
          const [row, column] = coordinates(i, updates) as [number, number];
          const at = flat([rows[row]!, column], dims);
          y.data[at] = reduction === 'add' ? y.data[at]! + value : value;
        });
        return [y];
      },
    };
  };

export const indexing: Cases = {
  Slice: [slice],
  Gather: [gather('repeated'), gather('distinct'), gather('scalar')],
  GatherElements: [gatherElements],
  GatherND: [gatherNd],
  ScatterElements: [scatter('none', 'elements'), scatter('add', 'elements')],
  ScatterND: [scatter('none', 'nd'), scatter('add', 'nd')],
  TopK: [
    (draw) => {
      const dims = [draw.int(1, 3), draw.int(2, 5)];
      return {
        inputs: [draw.distinct(dims)],
        integers: { 1: { dims: [1], data: [2] } },
        forward: ([x]) => [
          nd([dims[0]!, 2], (i) => {
            const [row, k] = coordinates(i, [dims[0]!, 2]) as [number, number];
            const values = x!.data.slice(row * dims[1]!, (row + 1) * dims[1]!).sort().reverse(); // prettier-ignore
            return values[k]!;
          }),
        ],
      };
    },
  ],
  Trilu: [
    (draw) => {
      const dims = draw.dims(3, 2, 4);
      const upper = draw.int(0, 1);
      return {
        inputs: [draw.uniform(dims)],
        attributes: { upper },
        forward: ([x]) => [
          nd(dims, (i) => {
            const [, row, column] = coordinates(i, dims) as [number, number, number];
            return (upper ? column >= row : column <= row) ? x!.data[i]! : 0;
          }),
        ],
      };
    },
  ],
};
