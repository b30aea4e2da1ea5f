import { floatAttribute, intAttribute, stringAttribute } from '../../onnx/attributes.js';
import type { Emitter } from '../emitter.js';
import { range, type GradientContext, type GradientRules } from '../rule.js';
import { correlate } from '../correlate.js';
import {
  gatherAttributes,
  groupsOf,
  spreadAttributes,
  turned,
  turnedAttributes,
  windowsOf,
} from '../windows.js';

/** Sums of products: each factor's cotangent is a product of the others with the output's. */
export const contraction: GradientRules = {
  MatMul: matMul,
  Gemm: gemm,
  Conv: conv,
  ConvTranspose: convTranspose,
  Einsum: einsum,
};

function swapLast(e: Emitter, value: string, rank: number): string {
  return e.transpose(value, [...range(rank - 2), rank - 1, rank - 2]);
}

function matMul(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  // Vectors as matrices, as the op itself sees them.
  const [a, b] = [c.shape(0), c.shape(1)];
  const a2 = a.length === 1 ? [1, ...a] : a;
  const b2 = b.length === 1 ? [...b, 1] : b;
  const [i, k, j] = [a2.at(-2)!, a2.at(-1)!, b2.at(-1)!];
  const y = c.outputShape();
  const batch = y.slice(0, y.length - (a.length > 1 ? 1 : 0) - (b.length > 1 ? 1 : 0));
  const isVector = a.length === 1 || b.length === 1;
  const g = isVector ? e.reshape(c.grad(), [...batch, i, j]) : c.grad();
  const left = a.length === 1 ? e.reshape(c.input(0), a2) : c.input(0);
  const right = b.length === 1 ? e.reshape(c.input(1), b2) : c.input(1);
  const finish = (
    value: string,
    from: readonly number[],
    to: readonly number[],
    final: readonly number[],
  ) => {
    const summed = e.unbroadcast(value, from, to);
    return to.length === final.length ? summed : e.reshape(summed, final);
  };
  const da = () => finish(e.op('MatMul', [g, swapLast(e, right, b2.length)]), [...batch, i, k], a2, a);
  const db = () => {
    // Many small products of one shared matrix are one large product.
    if (b2.length === 2 && a2.length > 2) {
      const [flatLeft, flatG] = [e.reshape(left, [-1, k]), e.reshape(g, [-1, j])];
      return e.reshape(e.op('Gemm', [flatLeft, flatG], { transA: 1 }), b);
    }
    return finish(e.op('MatMul', [swapLast(e, left, a2.length), g]), [...batch, k, j], b2, b);
  };
  return [c.wants(0) ? da() : undefined, c.wants(1) ? db() : undefined];
}

function gemm(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  const [transA, transB] = [intAttribute(c.node, 'transA', 0), intAttribute(c.node, 'transB', 0)];
  const g = e.scale(c.grad(), floatAttribute(c.node, 'alpha', 1));
  const [a, b] = [c.input(0), c.input(1)];
  const da = transA
    ? () => e.op('Gemm', [b, g], { transA: transB, transB: 1 })
    : () => e.op('Gemm', [g, b], { transB: 1 - transB });
  const db = transB
    ? () => e.op('Gemm', [g, a], { transA: 1, transB: transA })
    : () => e.op('Gemm', [a, g], { transA: 1 - transA });
  const dc = () =>
    e.unbroadcast(e.scale(c.grad(), floatAttribute(c.node, 'beta', 1)), c.outputShape(), c.shape(2));
  return [
    c.wants(0) ? da() : undefined,
    c.wants(1) ? db() : undefined,
    c.has(2) && c.wants(2) ? dc() : undefined,
  ];
}

/** Σ over examples and positions: the cotangent of a convolution's bias. */
function biasGradient(c: GradientContext): string | undefined {
  if (!c.has(2) || !c.wants(2)) return undefined;
  const rank = c.outputShape().length;
  return c.emit.sum(c.grad(), [0, ...range(rank).slice(2)]);
}

function conv(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  const [n, , ...sizes] = c.shape(0);
  const [co, ci, ...kernel] = c.shape(1);
  const group = groupsOf(c.node);
  const windows = windowsOf(c.node, kernel, sizes, c.outputShape().slice(2));
  const turnedRound = turnedAttributes(windows);
  const dx = () =>
    turnedRound
      ? e.op('Conv', [c.grad(), turned(e, c.input(1), c.shape(1), group)], { ...turnedRound, group })
      : e.op('ConvTranspose', [c.grad(), c.input(1)], { ...spreadAttributes(windows), group });
  const dw = () =>
    correlate(e, c.input(0), c.grad(), windows, { n: n!, groups: group, a: co! / group, b: ci! });
  return [c.wants(0) ? dx() : undefined, c.wants(1) ? dw() : undefined, biasGradient(c)];
}

function convTranspose(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  const [n, channels, ...positions] = c.shape(0);
  const [, co, ...kernel] = c.shape(1);
  const group = groupsOf(c.node);
  if (stringAttribute(c.node, 'auto_pad', 'NOTSET') !== 'NOTSET' || c.node.attributes.has('output_shape'))
    c.refuse('its padding follows from the output shape');
  const windows = windowsOf(c.node, kernel, c.outputShape().slice(2), positions);
  const dx = () => e.op('Conv', [c.grad(), c.input(1)], { ...gatherAttributes(windows), group });
  const dw = () =>
    correlate(e, c.grad(), c.input(0), windows, { n: n!, groups: group, a: channels! / group, b: co! });
  return [c.wants(0) ? dx() : undefined, c.wants(1) ? dw() : undefined, biasGradient(c)];
}

/** The equation with the output and one operand exchanged; letters that only that operand has were summed. */
function einsum(c: GradientContext): (string | undefined)[] {
  const e = c.emit;
  const equation = stringAttribute(c.node, 'equation', '').replace(/\s/g, '');
  const [left, right] = equation.split('->') as [string, string?];
  if (equation.includes('.') || right === undefined) c.refuse('its equation has an ellipsis or no output');
  const terms = left.split(',');
  return terms.map((term, i) => {
    if (!c.wants(i)) return undefined;
    if (new Set(term).size < term.length) return c.refuse('an operand has a letter twice');
    const others = terms.filter((_, k) => k !== i);
    const known = [...term].filter((letter) => [right, ...others].some((t) => t.includes(letter)));
    const inputs = [c.grad(), ...c.node.inputs.map((_, k) => c.input(k)).filter((_, k) => k !== i)];
    const value = e.op('Einsum', inputs, { equation: `${[right, ...others].join()}->${known.join('')}` });
    if (known.length === term.length) return value;
    const shape = c.shape(i);
    const dims = [...term].map((letter, axis) => (known.includes(letter) ? shape[axis]! : 1));
    return e.expand(e.reshape(value, dims), shape);
  });
}
