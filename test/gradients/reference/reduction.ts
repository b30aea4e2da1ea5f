import { coordinates, flat, nd, reduced, reshaped, type Cases, type MakeCase } from './nd.js';

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

const reduce =
  (f: (values: number[]) => number, low = -2): MakeCase =>
  (draw) => {
    const dims = draw.dims(3, 1, 3);
    const axes = [0, 1, 2].filter(() => draw.int(0, 1));
    const keepdims = draw.int(0, 1);
    const over = axes.length > 0 ? axes : [0, 1, 2];
    const kept = dims.map((size, axis) => (over.includes(axis) ? 1 : size));
    const final = keepdims ? kept : dims.filter((_, axis) => !over.includes(axis));
    return {
      inputs: [low > 0 ? draw.uniform(dims, low, 2) : draw.distinct(dims)],
      attributes: {
        keepdims,
        ...(axes.length > 0 && { axes: draw.int(0, 1) ? axes : axes.map((a) => a - 3) }),
      },
      opset: 12,
      forward: ([x]) => [reshaped(reduced(x!, over, f), final)],
    };
  };

/** Axes as an input, as from opset 18 on. */
const reduceByInput: MakeCase = (draw) => {
  const dims = draw.dims(3, 1, 3);
  return {
    inputs: [draw.uniform(dims)],
    integers: { 1: { dims: [2], data: [0, -1] } },
    opset: 18,
    attributes: { keepdims: 0 },
    forward: ([x]) => [reshaped(reduced(x!, [0, 2], (values) => sum(values) / values.length), [dims[1]!])], // prettier-ignore
  };
};

export const reduction: Cases = {
  ReduceSum: [reduce(sum)],
  ReduceMean: [reduce((values) => sum(values) / values.length), reduceByInput],
  ReduceMax: [reduce((values) => Math.max(...values))],
  ReduceMin: [reduce((values) => Math.min(...values))],
  ReduceProd: [reduce((values) => values.reduce((a, b) => a * b, 1), 0.3)],
  ReduceL1: [reduce((values) => sum(values.map(Math.abs)), 0.3)],
  ReduceL2: [reduce((values) => Math.hypot(...values), 0.3)],
  ReduceSumSquare: [reduce((values) => sum(values.map((v) => v * v)))],
  ReduceLogSum: [reduce((values) => Math.log(sum(values)), 0.3)],
  ReduceLogSumExp: [reduce((values) => Math.log(sum(values.map(Math.exp))))],
  CumSum: [
    (draw) => {
      const dims = draw.dims(2, 1, 4);
      const [exclusive, reverse] = [draw.int(0, 1), draw.int(0, 1)];
      return {
        inputs: [draw.uniform(dims)],
        integers: { 1: { dims: [], data: [1] } },
        attributes: { exclusive, reverse },
        forward: ([x]) => [
          nd(dims, (i) => {
            const [row, at] = coordinates(i, dims) as [number, number];
            let total = 0;
            for (let k = 0; k < dims[1]!; k++) {
              const isBefore = reverse ? k > at : k < at;
              if (isBefore || (k === at && !exclusive)) total += x!.data[flat([row, k], dims)]!;
            }
            return total;
          }),
        ],
      };
    },
  ],
};
