import {
  broadcast,
  coordinates,
  count,
  flat,
  nd,
  type Cases,
  type Draw,
  type MakeCase,
  type Nd,
} from './nd.js';

export function matMul(a: Nd, b: Nd): Nd {
  const a2 = a.dims.length === 1 ? { ...a, dims: [1, ...a.dims] } : a;
  const b2 = b.dims.length === 1 ? { ...b, dims: [...b.dims, 1] } : b;
  const [n, k, m] = [a2.dims.at(-2)!, a2.dims.at(-1)!, b2.dims.at(-1)!];
  const batch = broadcast([nd(a2.dims.slice(0, -2)), nd(b2.dims.slice(0, -2))], () => 0).dims;
  const y = nd([...batch, n, m], (index) => {
    const at = coordinates(index, [...batch, n, m]);
    const [i, j] = [at.at(-2)!, at.at(-1)!];
    const own = (x: Nd): number[] => {
      const outer = x.dims.slice(0, -2);
      return at
        .slice(batch.length - outer.length, batch.length)
        .map((c, axis) => (outer[axis] === 1 ? 0 : c));
    };
    let sum = 0;
    for (let l = 0; l < k; l++)
      sum += a2.data[flat([...own(a2), i, l], a2.dims)]! * b2.data[flat([...own(b2), l, j], b2.dims)]!;
    return sum;
  });
  const dims = [...batch, ...(a.dims.length > 1 ? [n] : []), ...(b.dims.length > 1 ? [m] : [])];
  return { dims, data: y.data };
}

interface Geometry {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begins: readonly number[];
  readonly group: number;
}

/** y[n, co, o] = b[co] + Σ x[n, ci, o·s + k·d − begin] w[co, ci, k]. */
function conv(x: Nd, w: Nd, b: Nd | undefined, sizes: readonly number[], g: Geometry): Nd {
  const [n, , ...inputSizes] = x.dims as [number, number, ...number[]];
  const [co, ci, ...kernel] = w.dims as [number, number, ...number[]];
  const dims = [n, co, ...sizes];
  return nd(dims, (index) => {
    const [example, channel, ...o] = coordinates(index, dims) as [number, number, ...number[]];
    let sum = b ? b.data[channel]! : 0;
    const first = Math.floor(channel / (co / g.group)) * ci;
    for (let c = 0; c < ci; c++)
      for (let tap = 0; tap < count(kernel); tap++) {
        const k = coordinates(tap, kernel);
        const at = o.map((position, i) => position * g.strides[i]! + k[i]! * g.dilations[i]! - g.begins[i]!);
        if (at.some((p, i) => p < 0 || p >= inputSizes[i]!)) continue;
        sum += x.data[flat([example, first + c, ...at], x.dims)]! * w.data[flat([channel, c, ...k], w.dims)]!;
      }
    return sum;
  });
}

/** The transpose of `conv`, written as a scatter. */
function convTranspose(x: Nd, w: Nd, b: Nd | undefined, sizes: readonly number[], g: Geometry): Nd {
  const [n, channels] = x.dims as [number, number];
  const [, co, ...kernel] = w.dims as [number, number, ...number[]];
  const dims = [n, co * g.group, ...sizes];
  const y = nd(dims, (index) => (b ? b.data[coordinates(index, dims)[1]!]! : 0));
  x.data.forEach((value, index) => {
    const [example, channel, ...o] = coordinates(index, x.dims) as [number, number, ...number[]];
    const first = Math.floor(channel / (channels / g.group)) * co;
    for (let c = 0; c < co; c++)
      for (let tap = 0; tap < count(kernel); tap++) {
        const k = coordinates(tap, kernel);
        const at = o.map((position, i) => position * g.strides[i]! + k[i]! * g.dilations[i]! - g.begins[i]!);
        if (at.some((p, i) => p < 0 || p >= sizes[i]!)) continue;
        y.data[flat([example, first + c, ...at], dims)]! += value * w.data[flat([channel, c, ...k], w.dims)]!;
      }
  });
  return y;
}

interface DrawnWindows {
  readonly kernel: number[];
  readonly strides: number[];
  readonly dilations: number[];
  readonly pads: number[];
  readonly sizes: number[];
}

function windows(draw: Draw, rank: number): DrawnWindows {
  const kernel = draw.dims(rank, 1, 3);
  const dilations = draw.dims(rank, 1, 2);
  const strides = draw.dims(rank, 1, 3);
  const pads = [...kernel, ...kernel].map((k) => draw.int(0, k - 1));
  const sizes = kernel.map((k, i) => (k - 1) * dilations[i]! + 1 + draw.int(0, 4));
  return { kernel, strides, dilations, pads, sizes };
}

const drawConv =
  (rank: number, autoPad?: string): MakeCase =>
  (draw) => {
    const { kernel, strides, dilations, pads, sizes } = windows(draw, rank);
    const group = draw.int(1, 2);
    const [ci, co] = [draw.int(1, 2), group * draw.int(1, 2)];
    const inputs = [draw.uniform([2, ci * group, ...sizes]), draw.uniform([co, ci, ...kernel])];
    if (draw.int(0, 1)) inputs.push(draw.uniform([co]));
    const padded = autoPad !== undefined;
    const steps = autoPad === undefined ? dilations : kernel.map(() => 1);
    const outputs = kernel.map((k, i) => {
      if (autoPad?.startsWith('SAME')) return Math.ceil(sizes[i]! / strides[i]!);
      const total = padded ? 0 : pads[i]! + pads[i + rank]!;
      return Math.floor((sizes[i]! + total - (k - 1) * steps[i]! - 1) / strides[i]!) + 1;
    });
    const begins = kernel.map((k, i) => {
      if (!padded) return pads[i]!;
      const total = Math.max(0, (outputs[i]! - 1) * strides[i]! + k - sizes[i]!);
      return autoPad === 'SAME_LOWER' ? Math.ceil(total / 2) : Math.floor(total / 2);
    });
    return {
      inputs,
      attributes: {
        kernel_shape: kernel, strides, group,
        ...(padded ? { auto_pad: autoPad } : { dilations, pads }),
      }, // prettier-ignore
      forward: ([x, w, b]) => [conv(x!, w!, b, outputs, { strides, dilations: steps, begins, group })],
    };
  };

const drawConvTranspose =
  (rank: number): MakeCase =>
  (draw) => {
    const kernel = draw.dims(rank, 1, 3);
    const strides = draw.dims(rank, 1, 3);
    const dilations = draw.dims(rank, 1, 2);
    const positions = draw.dims(rank, 2, 3);
    const spans = kernel.map((k, i) => (k - 1) * dilations[i]! + 1);
    const pads = [...spans, ...spans].map((span) => draw.int(0, Math.min(1, span - 1)));
    const extra = strides.map((stride, i) => draw.int(0, Math.min(stride, dilations[i]! + stride - 1) - 1));
    const group = draw.int(1, 2);
    const [ci, co] = [group * draw.int(1, 2), draw.int(1, 2)];
    const sizes = positions.map(
      (n, i) => (n - 1) * strides[i]! + spans[i]! + extra[i]! - pads[i]! - pads[i + rank]!,
    );
    return {
      inputs: [
        draw.uniform([2, ci, ...positions]),
        draw.uniform([ci, co, ...kernel]),
        draw.uniform([co * group]),
      ],
      attributes: { kernel_shape: kernel, strides, dilations, pads, output_padding: extra, group },
      forward: ([x, w, b]) => [convTranspose(x!, w!, b, sizes, { strides, dilations, begins: pads.slice(0, rank), group })], // prettier-ignore
    };
  };

const drawMatMul =
  (shapes: (draw: Draw) => readonly [number[], number[]]): MakeCase =>
  (draw) => ({
    inputs: shapes(draw).map((dims) => draw.uniform(dims)),
    forward: ([a, b]) => [matMul(a!, b!)],
  });

function transpose(x: Nd): Nd {
  const [n, m] = x.dims as [number, number];
  return nd([m, n], (i) => x.data[(i % n) * m + Math.floor(i / n)]!);
}

const gemm: MakeCase = (draw) => {
  const [n, k, m] = draw.dims(3) as [number, number, number];
  const [transA, transB] = [draw.int(0, 1), draw.int(0, 1)];
  const c = draw.pick([[n, m], [m], [1, m], [n, 1], [1]]);
  return {
    inputs: [draw.uniform(transA ? [k, n] : [n, k]), draw.uniform(transB ? [m, k] : [k, m]), draw.uniform(c)],
    attributes: { transA, transB, alpha: { float: 0.5 }, beta: { float: 1.5 } },
    forward: ([a, b, bias]) => {
      const product = matMul(transA ? transpose(a!) : a!, transB ? transpose(b!) : b!);
      return [broadcast([product, bias!], (p, v) => 0.5 * p + 1.5 * v)];
    },
  };
};

/** Sums over every assignment of the letters. */
const einsum =
  (equation: string): MakeCase =>
  (draw) => {
    const [left, right] = equation.split('->') as [string, string];
    const terms = left.split(',');
    const letters = [...new Set(left.replace(',', ''))];
    const sizes = new Map(letters.map((letter) => [letter, draw.int(1, 3)]));
    const dims = (term: string): number[] => [...term].map((letter) => sizes.get(letter)!);
    return {
      inputs: terms.map((term) => draw.uniform(dims(term))),
      attributes: { equation },
      forward: (inputs) => {
        const out = nd(dims(right));
        const all = letters.map((letter) => sizes.get(letter)!);
        for (let i = 0; i < count(all); i++) {
          const at = coordinates(i, all);
          const index = (term: string): number =>
            flat([...term].map((letter) => at[letters.indexOf(letter)]!), dims(term));
          out.data[index(right)]! += inputs.reduce((p, x, k) => p * x.data[index(terms[k]!)]!, 1);
        }
        return [out];
      },
    };
  }; // prettier-ignore

export const contraction: Cases = {
  MatMul: [
    drawMatMul((draw) => {
      const [n, k, m] = draw.dims(3) as [number, number, number];
      return [[n, k], [k, m]]; // prettier-ignore
    }),
    drawMatMul((draw) => {
      const [a, b, n, k, m] = draw.dims(5, 2, 3) as [number, number, number, number, number];
      return draw.pick([
        [[a, b, n, k], [k, m]], [[a, b, n, k], [1, b, k, m]], [[b, n, k], [a, 1, k, m]], [[n, k], [b, k, m]],
        [[k], [b, k, m]], [[b, n, k], [k]], [[k], [k]],
      ] as const satisfies readonly (readonly [number[], number[]])[]); // prettier-ignore
    }),
  ],
  Gemm: [gemm],
  Conv: [
    drawConv(2), drawConv(1), drawConv(3), drawConv(2, 'SAME_UPPER'), drawConv(2, 'SAME_LOWER'), drawConv(2, 'VALID'),
  ], // prettier-ignore
  ConvTranspose: [drawConvTranspose(2), drawConvTranspose(1)],
  Einsum: [einsum('bij,bjk->bik'), einsum('bhd,hd->bh'), einsum('ij,k->i'), einsum('bqd,bkd->bqk')],
};
