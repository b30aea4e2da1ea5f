import { coordinates, count, flat, nd, reduced, type Cases, type MakeCase, type Nd } from './nd.js';

const pool =
  (rank: number, kind: 'max' | 'average', ceil: boolean): MakeCase =>
  (draw) => {
    const kernel = draw.dims(rank, 1, 3);
    // With padding or gaps between windows, shape inference and kernels of onnxruntime disagree on the rounded-up size.
    const strides = ceil ? kernel.map((k) => draw.int(1, k)) : draw.dims(rank, 1, 3);
    const pads = [...kernel, ...kernel].map((k) => (ceil ? 0 : draw.int(0, Math.floor((k - 1) / 2))));
    const sizes = kernel.map((k) => k + draw.int(0, 4));
    const includePad = draw.int(0, 1);
    const round = ceil ? Math.ceil : Math.floor;
    const outputs = kernel.map((k, i) => {
      const total = sizes[i]! + pads[i]! + pads[i + rank]!;
      const n = round((total - k) / strides[i]!) + 1;
      // A window that would start in the padding past the end is left out.
      return (n - 1) * strides[i]! >= sizes[i]! + pads[i]! ? n - 1 : n;
    });
    const dims = [2, draw.int(1, 2), ...sizes];
    const forward = ([x]: readonly Nd[]): Nd[] => {
      const shape = [...dims.slice(0, 2), ...outputs];
      return [
        nd(shape, (index) => {
          const [n, c, ...o] = coordinates(index, shape) as [number, number, ...number[]];
          const values: number[] = [];
          let positions = 0;
          for (let tap = 0; tap < count(kernel); tap++) {
            const at = coordinates(tap, kernel).map((k, i) => o[i]! * strides[i]! + k - pads[i]!);
            if (at.every((p, i) => p < sizes[i]! + pads[i + rank]!)) positions++;
            if (at.some((p, i) => p < 0 || p >= sizes[i]!)) continue;
            values.push(x!.data[flat([n, c, ...at], dims)]!);
          }
          if (kind === 'max') return Math.max(...values);
          return values.reduce((a, b) => a + b, 0) / (includePad ? positions : values.length);
        }),
      ];
    };
    return {
      inputs: [draw.distinct(dims)],
      attributes: {
        kernel_shape: kernel, strides, pads, ceil_mode: ceil ? 1 : 0,
        ...(kind === 'average' && { count_include_pad: includePad }),
      }, // prettier-ignore
      forward,
      opset: 19,
    };
  };

const overall =
  (f: (values: number[]) => number): MakeCase =>
  (draw) => ({
    inputs: [draw.distinct([2, draw.int(1, 3), draw.int(1, 4), draw.int(1, 4)])],
    forward: ([x]) => [reduced(x!, [2, 3], f)],
  });

export const pooling: Cases = {
  MaxPool: [pool(2, 'max', false), pool(1, 'max', true), pool(3, 'max', false)],
  AveragePool: [pool(2, 'average', false), pool(1, 'average', false), pool(2, 'average', true)],
  GlobalAveragePool: [overall((values) => values.reduce((a, b) => a + b, 0) / values.length)],
  GlobalMaxPool: [overall((values) => Math.max(...values))],
};
