import type { GraphBuilder, Steps, Value } from './builder.js';
import { widths } from './layers.js';

/** What graphs are quantised around: the oracle counts on it. */
export const zeroPoint = (g: GraphBuilder): Value => g.ints([128], [], 'uint8');

export function quantized(g: GraphBuilder, x: Value): { x: Value; scale: Value; zero: Value } {
  const scale = g.scalar(0.05);
  const zero = zeroPoint(g);
  return { x: g.op('QuantizeLinear', [x, scale, zero], x.dims, {}, 'uint8'), scale, zero };
}

export const bytes = (g: GraphBuilder, dims: readonly number[]): Value =>
  g.ints(Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 96 + g.below(64)), dims, 'uint8'); // prettier-ignore

export const dequantized = (g: GraphBuilder, x: Value, scale: number): void => {
  g.step('Mul', [g.op('Cast', [x], x.dims, { to: 1 }), g.scalar(scale)], x.dims);
};

export const quantization: Steps = {
  QuantizeLinear: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const perAxis = c.flag() && g.opset >= 13;
    const width = x.dims[1]!;
    const scale = perAxis ? g.weight([width], c, { positive: true }) : g.scalar(0.05);
    const zero = g.ints(perAxis ? new Array<number>(width).fill(128) : [128], scale.dims, 'uint8');
    const q = g.op('QuantizeLinear', [x, scale, zero], x.dims, perAxis ? { axis: 1 } : {}, 'uint8');
    g.step('DequantizeLinear', [q, scale, zero], x.dims, perAxis ? { axis: 1 } : {});
  },
  DequantizeLinear: (g, c) => {
    const x = g.ofRank(c, 2);
    if (!x) return;
    const width = c.of(widths);
    const stored = g.ints(Array.from({ length: x.dims[1]! * width }, () => g.below(200) - 100), [x.dims[1]!, width], 'int8'); // prettier-ignore
    const perAxis = c.flag() && g.opset >= 13;
    const scale = perAxis ? g.floats(Array.from({ length: width }, () => 0.01)) : g.scalar(0.01);
    const w = g.op('DequantizeLinear', [stored, scale], stored.dims, perAxis ? { axis: 1 } : {});
    g.step('MatMul', [x, w], [x.dims[0]!, width]);
  },
  /** The scale and the zero point are computed too; read as floats again or by an integer product. */
  DynamicQuantizeLinear: (g, c) => {
    const x = g.pick(c, ({ dims }) => dims.length > 1);
    if (!x) return;
    const outputs = g.multi('DynamicQuantizeLinear', [x], [x.dims, [], []], {}, 'uint8');
    const [q, scale, zero] = outputs as [Value, Value, Value];
    if (c.flag()) {
      g.step('DequantizeLinear', [q, scale, zero], x.dims);
      return;
    }
    const width = c.of(widths);
    const w = bytes(g, [x.dims.at(-1)!, width]);
    const dims = [...x.dims.slice(0, -1), width];
    const product = g.op('MatMulInteger', [q, w, zero, zeroPoint(g)], dims, {}, 'int32');
    const scaled = g.op('Mul', [g.op('Cast', [product], dims, { to: 1 }), scale], dims);
    g.step('Mul', [scaled, g.scalar(0.03)], dims);
  },
};
