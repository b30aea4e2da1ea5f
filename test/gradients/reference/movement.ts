import {
  coordinates,
  flat,
  nd,
  picked,
  reshaped,
  type Case,
  type Cases,
  type MakeCase,
  type Nd,
} from './nd.js';

const reshape: MakeCase = (draw) => {
  const [a, b, c] = draw.dims(3) as [number, number, number];
  return {
    inputs: [draw.uniform([a, b, c])],
    integers: { 1: { dims: [2], data: [-1, c] } },
    forward: ([x]) => [reshaped(x!, [a * b, c])],
  };
};

const pad =
  (mode: string, opset: number): MakeCase =>
  (draw) => {
    const dims = draw.dims(2, 3, 4);
    const low = mode === 'constant' ? -1 : 0;
    const pads = [0, 1, 2, 3].map(() => draw.int(low, 2));
    const out = dims.map((size, i) => size + pads[i]! + pads[i + 2]!);
    const source = (at: number, size: number): number => {
      if (mode === 'edge') return Math.min(Math.max(at, 0), size - 1);
      if (mode === 'wrap') return (at + 2 * size) % size;
      return at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at;
    };
    return {
      inputs: [draw.uniform(dims)],
      integers: { 1: { dims: [4], data: pads } },
      attributes: { mode },
      opset,
      forward: ([x]) => [
        nd(out, (i) => {
          const at = coordinates(i, out).map((c, axis) => c - pads[axis]!);
          const isOutside = at.some((c, axis) => c < 0 || c >= dims[axis]!);
          if (mode === 'constant' && isOutside) return 0;
          return x!.data[flat(at.map((c, axis) => source(c, dims[axis]!)), dims)]!; // prettier-ignore
        }),
      ],
    };
  };

const blocks =
  (mode: 'DCR' | 'CRD' | 'inverse'): MakeCase =>
  (draw): Case => {
    const b = 2;
    const [n, c, h, w] = draw.dims(4, 1, 2) as [number, number, number, number];
    const [small, large] = [[n, c * b * b, h, w], [n, c, h * b, w * b]]; // prettier-ignore
    const deep = ([e, ch, y, z]: number[]): number[] => {
      const [dy, dz] = [y! % b, z! % b];
      const channel = mode === 'CRD' ? ch! * b * b + dy * b + dz : (dy * b + dz) * c + ch!;
      return [e!, channel, (y! - dy) / b, (z! - dz) / b];
    };
    if (mode !== 'inverse')
      return {
        inputs: [draw.uniform(small)],
        attributes: { blocksize: b, mode },
        forward: ([x]) => [picked(large, x!, deep)],
      };
    return {
      inputs: [draw.uniform(large)],
      attributes: { blocksize: b },
      forward: ([x]) => {
        const y = nd(small);
        x!.data.forEach((value, i) => (y.data[flat(deep(coordinates(i, large)), small)] = value));
        return [y];
      },
    };
  };

/** Linear interpolation written from the op's definition, one output at a time. */
const resize =
  (mode: string, coordinates_: string): MakeCase =>
  (draw) => {
    const dims = [1, draw.int(1, 2), draw.int(2, 4), draw.int(2, 4)];
    const out = [...dims.slice(0, 2), draw.int(2, 7), draw.int(2, 7)];
    const position = (o: number, axis: number): number => {
      const scale = out[axis]! / dims[axis]!;
      if (coordinates_ === 'asymmetric') return o / scale;
      if (coordinates_ === 'align_corners') return (o * (dims[axis]! - 1)) / (out[axis]! - 1);
      return (o + 0.5) / scale - 0.5;
    };
    const value = (x: Nd, n: number, c: number, y: number, z: number): number => {
      const at = [y, z].map((v, i) => Math.min(Math.max(v, 0), dims[i + 2]! - 1)) as [number, number];
      if (mode === 'nearest') return x.data[flat([n, c, ...at.map(Math.floor)], dims)]!;
      const [low, high] = [
        at.map(Math.floor),
        at.map((v, i) => Math.min(Math.floor(v) + 1, dims[i + 2]! - 1)),
      ];
      const [t, u] = [at[0] - low[0]!, at[1] - low[1]!];
      const get = (i: number, j: number): number => x.data[flat([n, c, i, j], dims)]!;
      return (
        (1 - t) * ((1 - u) * get(low[0]!, low[1]!) + u * get(low[0]!, high[1]!)) +
        t * ((1 - u) * get(high[0]!, low[1]!) + u * get(high[0]!, high[1]!))
      );
    };
    return {
      inputs: [draw.uniform(dims)],
      integers: { 3: { dims: [4], data: out } },
      attributes: { mode, coordinate_transformation_mode: coordinates_, ...(mode === 'nearest' && { nearest_mode: 'floor' }) }, // prettier-ignore
      forward: ([x]) => [
        nd(out, (i) => {
          const [n, c, y, z] = coordinates(i, out) as [number, number, number, number];
          return value(x!, n, c, position(y, 2), position(z, 3));
        }),
      ],
    };
  };

const upsample: MakeCase = (draw) => {
  const dims = [1, 2, draw.int(1, 3), draw.int(1, 3)];
  return {
    inputs: [draw.uniform(dims)],
    attributes: { mode: 'nearest', scales: { floats: [1, 1, 2, 3] } },
    opset: 7,
    forward: ([x]) => [
      picked([1, 2, dims[2]! * 2, dims[3]! * 3], x!, ([n, c, y, z]) => [n!, c!, Math.floor(y! / 2), Math.floor(z! / 3)]), // prettier-ignore
    ],
  };
};

export const movement: Cases = {
  Reshape: [reshape],
  Flatten: [
    (draw) => {
      const [a, b, c] = draw.dims(3) as [number, number, number];
      return { inputs: [draw.uniform([a, b, c])], attributes: { axis: 2 }, forward: ([x]) => [reshaped(x!, [a * b, c])] }; // prettier-ignore
    },
  ],
  Squeeze: [
    (draw) => {
      const n = draw.int(1, 4);
      return {
        inputs: [draw.uniform([1, n, 1])],
        integers: { 1: { dims: [1], data: [-1] } },
        forward: ([x]) => [reshaped(x!, [1, n])],
      };
    },
  ],
  Unsqueeze: [
    (draw) => {
      const n = draw.int(1, 4);
      return { inputs: [draw.uniform([n])], attributes: { axes: [0, 2] }, opset: 11, forward: ([x]) => [reshaped(x!, [1, n, 1])] }; // prettier-ignore
    },
  ],
  Transpose: [
    (draw) => {
      const dims = draw.dims(4);
      const perm = draw.permutation(4);
      const out = perm.map((axis) => dims[axis]!);
      return {
        inputs: [draw.uniform(dims)],
        attributes: { perm },
        forward: ([x]) => [picked(out, x!, (at) => dims.map((_, axis) => at[perm.indexOf(axis)]!))],
      };
    },
  ],
  Expand: [
    (draw) => {
      const [a, b] = draw.dims(2) as [number, number];
      return {
        inputs: [draw.uniform([a, 1])],
        integers: { 1: { dims: [3], data: [2, 1, b] } },
        forward: ([x]) => [picked([2, a, b], x!, ([, i]) => [i!, 0])],
      };
    },
  ],
  Concat: [
    (draw) => {
      const [n, a, b] = draw.dims(3) as [number, number, number];
      return {
        inputs: [draw.uniform([n, a, 2]), draw.uniform([n, b, 2])],
        attributes: { axis: -2 },
        forward: ([x, y]) => [
          nd([n, a + b, 2], (i) => {
            const [e, at, k] = coordinates(i, [n, a + b, 2]) as [number, number, number];
            return at < a ? x!.data[flat([e, at, k], x!.dims)]! : y!.data[flat([e, at - a, k], y!.dims)]!;
          }),
        ],
      };
    },
  ],
  Split: [
    (draw) => {
      const [n, a, b] = draw.dims(3) as [number, number, number];
      // The second part is used by nothing that counts in half of the cases.
      const outputs = draw.int(0, 1) ? [0, 1] : [0];
      return {
        inputs: [draw.uniform([n, a + b])],
        integers: { 1: { dims: [2], data: [a, b] } },
        attributes: { axis: 1 },
        outputs,
        forward: ([x]) => [
          picked([n, a], x!, ([e, k]) => [e!, k!]),
          ...(outputs.length > 1 ? [picked([n, b], x!, ([e, k]) => [e!, k! + a])] : []),
        ],
      };
    },
  ],
  Pad: [pad('constant', 13), pad('reflect', 13), pad('edge', 13), pad('wrap', 19)],
  Tile: [
    (draw) => {
      const [a, b] = draw.dims(2) as [number, number];
      const [r, s] = draw.dims(2, 1, 3) as [number, number];
      return {
        inputs: [draw.uniform([a, b])],
        integers: { 1: { dims: [2], data: [r, s] } },
        forward: ([x]) => [picked([a * r, b * s], x!, ([i, j]) => [i! % a, j! % b])],
      };
    },
  ],
  DepthToSpace: [blocks('DCR'), blocks('CRD')],
  SpaceToDepth: [blocks('inverse')],
  Resize: [
    resize('linear', 'half_pixel'),
    resize('linear', 'align_corners'),
    resize('nearest', 'asymmetric'),
  ],
  Upsample: [upsample],
};
