import { elementCount } from '../onnx/tensor.js';

/** Numbers in C order. */
interface Dense {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Keeps some positions of some axes; undefined: the whole axis. */
export function gatherAlong(value: Dense, kept: readonly (Int32Array | undefined)[]): Dense {
  return kept.reduce<Dense>((current, positions, axis) => {
    if (!positions) return current;
    const { data, dims } = current;
    const length = dims[axis]!;
    const inner = elementCount(dims.slice(axis + 1));
    const outer = elementCount(dims.slice(0, axis));
    const out = new Float32Array(outer * positions.length * inner);
    for (let o = 0, to = 0; o < outer; o++)
      for (const at of positions) {
        const from = (o * length + at) * inner;
        out.set(data.subarray(from, from + inner), to);
        to += inner;
      }
    return { data: out, dims: dims.with(axis, positions.length) };
  }, value);
}
