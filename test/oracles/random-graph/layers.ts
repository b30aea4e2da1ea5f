import type { GraphBuilder, Value } from './builder.js';
import type { Choices } from './choices.js';

export const widths = [2, 3, 4, 6, 8, 12] as const;

/** The first layer behind a graph input, whose own axes stay: makes channels that may go. */
export function entry(g: GraphBuilder, x: Value, c: Choices): Value {
  return x.dims.length === 4 || (x.dims.length === 3 && c.flag())
    ? pointwiseConv(g, x, c, c.of(widths))
    : linear(g, x, c, c.of(widths));
}

/** The last layer before a graph output, which stays: contracts everything else. */
export function head(g: GraphBuilder, x: Value, c: Choices): Value {
  const [n, ...rest] = x.dims;
  const size = rest.reduce((a, b) => a * b, 1);
  return linear(g, rest.length > 1 ? g.reshape(x, [n!, size], c) : x, c, 3);
}

/** A weighted layer that fits the rank: convolution over axis 1, or a product with the last axis. Dims stay but one. */
export function layer(g: GraphBuilder, x: Value, c: Choices, width: number = c.of(widths)): Value {
  if (x.dims.length > 2 && c.flag()) return pointwiseConv(g, x, c, width);
  // The width is that of axis 1, so that rank 2 and convolutions agree on what they replace.
  return x.dims.length === 2 ? linear(g, x, c, width) : linear(g, x, c, x.dims.at(-1)!);
}

export function linear(g: GraphBuilder, x: Value, c: Choices, width: number): Value {
  const inner = x.dims.at(-1)!;
  const w = g.weight([inner, width], c, { scale: 1 / Math.sqrt(inner) });
  return g.offer(g.op('MatMul', [x, w], [...x.dims.slice(0, -1), width]));
}

export function pointwiseConv(g: GraphBuilder, x: Value, c: Choices, width: number): Value {
  const [n, inner, ...spatial] = x.dims as [number, number, ...number[]];
  const w = g.weight([width, inner, ...spatial.map(() => 1)], c, { scale: 1 / Math.sqrt(inner) });
  const bias = c.flag() ? g.weight([width], c) : undefined;
  return g.offer(g.op('Conv', [x, w, bias], [n, width, ...spatial]));
}
