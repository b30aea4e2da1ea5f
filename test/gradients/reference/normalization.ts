import { broadcast, nd, reduced, reshaped, type Cases, type Draw, type MakeCase, type Nd } from './nd.js';

const epsilon = 1e-3;
const attributes = { epsilon: { float: epsilon } };
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** (x − mean) / √(variance + ε) over axes; without the mean for the root mean square. */
function standardized(x: Nd, axes: readonly number[], centre = true): Nd {
  const m = reduced(x, axes, (values) => (centre ? mean(values) : 0));
  const d = broadcast([x, m], (v, c) => v - c);
  const variance = reduced(d, axes, (values) => mean(values.map((v) => v * v)));
  return broadcast([d, variance], (v, s) => v / Math.sqrt(s + epsilon));
}

const perChannel = (x: Nd, rank: number): Nd =>
  reshaped(x, [x.dims[0]!, ...new Array<number>(rank - 2).fill(1)]);

const softmax =
  (log: boolean): MakeCase =>
  (draw) => {
    const dims = draw.dims(draw.int(2, 4), 1, 4);
    const axis = draw.int(0, dims.length - 1);
    return {
      inputs: [draw.uniform(dims)],
      attributes: { axis: draw.pick([axis, axis - dims.length]) },
      forward: ([x]) => {
        const total = reduced(x!, [axis], (values) => values.reduce((a, b) => a + Math.exp(b), 0));
        return [broadcast([x!, total], (v, t) => (log ? v - Math.log(t) : Math.exp(v) / t))];
      },
    };
  };

const old =
  (draw: Draw) => {
    const dims = draw.dims(3, 1, 3);
    return {
      inputs: [draw.uniform(dims)],
      attributes: { axis: 1 },
      opset: 11,
      forward: ([x]: readonly Nd[]) => {
        const total = reduced(x!, [1, 2], (values) => values.reduce((a, b) => a + Math.exp(b), 0));
        return [broadcast([x!, total], (v, t) => Math.exp(v) / t)];
      },
    };
  }; // prettier-ignore

const layerNorm =
  (centre: boolean, opset: number): MakeCase =>
  (draw) => {
    const dims = draw.dims(3, 2, 4);
    const axis = draw.int(1, 2);
    const scale = dims.slice(axis);
    const axes = [0, 1, 2].slice(axis);
    const inputs = [draw.uniform(dims), draw.uniform(scale), ...(centre ? [draw.uniform(scale)] : [])];
    return {
      inputs,
      attributes: { ...attributes, axis },
      opset,
      forward: ([x, s, b]) => {
        const scaled = broadcast([standardized(x!, axes, centre), s!], (v, w) => v * w);
        return [b ? broadcast([scaled, b], (v, w) => v + w) : scaled];
      },
    };
  };

const groupNorm =
  (opset: number): MakeCase =>
  (draw) => {
    const [groups, per] = [draw.int(1, 3), draw.int(1, 3)];
    const dims = [2, groups * per, draw.int(2, 3), draw.int(1, 3)];
    const size = opset < 21 ? groups : groups * per;
    return {
      inputs: [draw.uniform(dims), draw.uniform([size]), draw.uniform([size])],
      attributes: { ...attributes, num_groups: groups },
      opset,
      forward: ([x, s, b]) => {
        const blocks = reshaped(x!, [2, groups, per * dims[2]! * dims[3]!]);
        const value = reshaped(standardized(blocks, [2]), dims);
        const of = (v: Nd): Nd =>
          perChannel(opset < 21 ? nd([groups * per], (i) => v.data[Math.floor(i / per)]!) : v, 4);
        return [broadcast([value, of(s!), of(b!)], (v, w, c) => v * w + c)];
      },
    };
  };

export const normalization: Cases = {
  BatchNormalization: [
    (draw) => {
      const dims = [2, draw.int(1, 3), ...draw.dims(draw.int(0, 2))];
      const c = [dims[1]!];
      return {
        inputs: [
          draw.uniform(dims),
          draw.uniform(c),
          draw.uniform(c),
          draw.uniform(c),
          draw.uniform(c, 0.3, 2),
        ],
        attributes,
        forward: ([x, ...parameters]) => {
          const [s, b, m, v] = parameters.map((p) => (dims.length > 2 ? perChannel(p, dims.length) : p)) as [Nd, Nd, Nd, Nd]; // prettier-ignore
          return [broadcast([x!, s, b, m, v], (p, scale, shift, centre, variance) => (scale * (p - centre)) / Math.sqrt(variance + epsilon) + shift)]; // prettier-ignore
        },
      };
    },
  ],
  LayerNormalization: [layerNorm(true, 17)],
  RMSNormalization: [layerNorm(false, 23)],
  InstanceNormalization: [
    (draw) => {
      const dims = [2, draw.int(1, 3), draw.int(2, 4), draw.int(1, 3)];
      return {
        inputs: [draw.uniform(dims), draw.uniform([dims[1]!]), draw.uniform([dims[1]!])],
        attributes,
        forward: ([x, s, b]) => [
          broadcast([standardized(x!, [2, 3]), perChannel(s!, 4), perChannel(b!, 4)], (v, w, c) => v * w + c),
        ],
      };
    },
  ],
  GroupNormalization: [groupNorm(21), groupNorm(18)],
  LpNormalization: [
    (draw) => ({
      inputs: [draw.uniform(draw.dims(3, 2, 3))],
      attributes: { axis: 1 },
      forward: ([x]) => {
        const norm = reduced(x!, [1], (values) => Math.hypot(...values));
        return [broadcast([x!, norm], (v, n) => v / n)];
      },
    }),
  ],
  Softmax: [softmax(false), old],
  LogSoftmax: [softmax(true)],
};
