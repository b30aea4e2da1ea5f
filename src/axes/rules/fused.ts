import { intAttribute } from '../../onnx/attributes.js';
import type { Relation, Role } from '../relation.js';
import { letters, NoRelation, ruleFor, type AxisRule, type AxisRules, type OpContext } from '../rule.js';
import { contraction, gemm, quantized, quantizers } from './contraction.js';

const ms = (ops: string, rule: AxisRule): AxisRules =>
  ruleFor(
    ops
      .trim()
      .split(/\s+/)
      .map((op) => `com.microsoft::${op}`)
      .join(' '),
    rule,
  );

/** What onnxruntime's optimiser and quantizer emit. Source: onnxruntime's docs/ContribOperators.md. */
export const fused: AxisRules = {
  ...ms('Gelu QuickGelu', '… -> …'),
  ...ms('BiasGelu FastGelu', (op) => ({
    notation: op.has(1) ? '…, … -> …' : '… -> …',
    roles: [undefined, 'shift'],
  })),
  ...ms('FusedMatMul', fusedMatMul),
  // The activation acts on each element.
  ...ms('FusedGemm', gemm),
  ...ms('FusedConv', (op) => ({
    ...(contraction.Conv as (op: OpContext) => Relation)(op),
    notation: convolution(op, 'n (g ci) #…', 'n (g co) #…'),
  })),
  ...ms('NhwcConv', nhwcConv),
  ...ms('SkipLayerNormalization', (op) => skipNorm(op, 5)),
  ...ms('SkipSimplifiedLayerNormalization', (op) => skipNorm(op, 4)),
  ...ms('EmbedLayerNormalization', embedNorm),
  ...ms('MatMulNBits', matMulNBits),
  ...ms('QLinearAdd QLinearMul', (op) => {
    const b = quantized(op, [1, ''], [2, '']);
    return {
      notation: `…${b}, …${quantized(op, [4, ''], [5, ''], [6, ''], [7, ''])} -> …`,
      roles: quantizers(1, 2, 4, 5, 6, 7),
    };
  }),
  ...ms('QLinearSigmoid QLinearLeakyRelu', (op) => ({
    notation: `…${quantized(op, [1, ''], [2, ''], [3, ''], [4, ''])} -> …`,
    roles: quantizers(1, 2, 3, 4),
  })),
  ...ms('QLinearGlobalAveragePool QLinearAveragePool', (op) => {
    const x = intAttribute(op.node, 'channels_last', 0) ? 'n #… c' : 'n c #…';
    return {
      notation: `${x}${quantized(op, [1, ''], [2, ''], [3, ''], [4, ''])} -> ${x}`,
      roles: quantizers(1, 2, 3, 4),
      why: 'spatial positions are shared by a pooling window',
    };
  }),
  ...ms('QLinearConcat', (op) => {
    const x = letters(op.shape(2).length);
    const axis = intAttribute(op.node, 'axis', 1);
    const at = axis < 0 ? axis + x.length : axis;
    const pieces = Array.from({ length: (op.inputCount - 2) / 3 }, (_, i) => `p${i}`);
    const scales = quantized(op, [0, ''], [1, '']).slice(2);
    const inputs = pieces.map(
      (piece, i) => `${x.with(at, piece).join(' ')}${quantized(op, [3 * i + 3, ''], [3 * i + 4, ''])}`,
    );
    return `${scales}, ${inputs.join(', ')} -> ${x.with(at, `(${pieces.join(' + ')})`).join(' ')}`;
  }),
  ...ms('QGemm', (op) => {
    const a = intAttribute(op.node, 'transA', 0) ? 'k i' : 'i k';
    const b = intAttribute(op.node, 'transB', 0) ? 'j k' : 'k j';
    const right = `${b}${quantized(op, [4, 'j'], [5, 'j'], [6, 'j'], [7, ''], [8, ''])}`;
    return {
      notation: `${a}${quantized(op, [1, ''], [2, ''])}, ${right} -> i j`,
      contraction: [0, 3],
      roles: quantizers(1, 2, 4, 5, 7, 8),
    };
  }),
  ...ms('MatMulIntegerToFloat', (op) => ({
    notation: `… i k, … k j${quantized(op, [2, ''], [3, 'j'], [4, ''], [5, 'j'], [6, 'j'])} -> … i j`,
    contraction: [0, 1],
    roles: quantizers(2, 3, 4, 5),
  })),
  ...ms('DynamicQuantizeMatMul', (op) => ({
    notation: `… i k, k j${quantized(op, [2, 'j'], [3, 'j'], [4, 'j'])} -> … i j`,
    // Its scale is taken over all elements, and over 0: zeros at removed positions are neutral, on every axis. That the
    // weights are zero there would not be enough, so it is no plain contraction.
    roles: [op.shape(0).map((): Role => 'contract'), ['contract', 'produce'], 'pass', 'pass', 'shift'],
  })),
};

function convolution(op: OpContext, x: string, y: string): string {
  const operands = [x, '(g co) ci #…', op.has(2) ? '(g co)' : '_', op.has(3) ? y : '_'];
  return `${operands.slice(0, op.inputCount).join(', ')} -> ${y}`;
}

function fusedMatMul(op: OpContext): Relation {
  if (intAttribute(op.node, 'transBatchA', 0) || intAttribute(op.node, 'transBatchB', 0))
    throw new NoRelation('it moves its batch axes');
  const [a, b] = [op.shape(0).length, op.shape(1).length];
  if (a < 2 || b < 2) throw new NoRelation('an operand is a vector');
  const left = intAttribute(op.node, 'transA', 0) ? '… k i' : '… i k';
  const right = intAttribute(op.node, 'transB', 0) ? '… j k' : '… k j';
  return { notation: `${left}, ${right} -> … i j`, contraction: [0, 1] };
}

/** Channels are last; exporters disagree on where the weights have them. */
function nhwcConv(op: OpContext): Relation {
  const w = op.shape(1);
  const inner = op.shape(0).at(-1)! / intAttribute(op.node, 'group', 1);
  if (w.filter((dim) => dim === inner).length !== 1)
    throw new NoRelation('which axis of its weights holds channels is ambiguous');
  const kernel = w[1] === inner ? '(g co) ci #…' : '(g co) #… ci';
  const y = 'n #… (g co)';
  const operands = ['n #… (g ci)', kernel, op.has(2) ? '(g co)' : '_', op.has(3) ? y : '_'];
  return {
    notation: `${operands.slice(0, op.inputCount).join(', ')} -> ${y}`,
    sizes: { g: intAttribute(op.node, 'group', 1) },
    contraction: [0, 1],
    why: 'spatial positions are shared by a kernel window',
  };
}

/** Norm of input + skip (+ bias): input, skip, gamma, beta (only if centred), bias. */
function skipNorm(op: OpContext, count: number): Relation {
  if (op.inputCount > count) throw new NoRelation(`input ${count} is not known`);
  const x = letters(op.shape(0).length);
  const last = x.at(-1)!;
  const dims = op.shape(1);
  const skip = x.slice(x.length - dims.length).map((letter, i) => (dims[i] === 1 ? '1' : letter));
  const operands = [x.join(' '), skip.join(' '), ...new Array<string>(count - 2).fill(last)];
  const inputs = operands.slice(0, op.inputCount).map((axes, i) => (op.has(i) ? axes : '_'));
  const statistics = [...x.slice(0, -1), '1'].join(' ');
  const outputs = [x.join(' '), statistics, statistics, x.join(' ')].slice(0, op.outputCount);
  const roles: readonly (Role | undefined)[] =
    count === 5
      ? [undefined, undefined, 'scale', 'shift', 'shift']
      : [undefined, undefined, 'scale', 'shift'];
  return { notation: `${inputs.join(', ')} -> ${outputs.join(', ')}`, normalize: [last], roles };
}

/** Sum of three embeddings, normalised. */
function embedNorm(op: OpContext): Relation {
  const operands = ['n #s', 'n #s', '#v h', '#p h', '#t h', 'h', 'h', '_', '_'];
  const inputs = operands.slice(0, op.inputCount).map((axes, i) => (op.has(i) ? axes : '_'));
  const outputs = ['n #s h', 'n', 'n #s h'].slice(0, op.outputCount);
  return {
    notation: `${inputs.join(', ')} -> ${outputs.join(', ')}`,
    // The first input holds ids; that statistics are taken over `h` is said of the scale.
    roles: [
      undefined,
      undefined,
      [undefined, 'produce'],
      [undefined, 'produce'],
      [undefined, 'produce'],
      'normalize',
      'shift',
    ],
    why: 'ids and positions point into this axis',
  };
}

/** Rows of blocks of `#e` weights that share a scale: outputs go one by one, inputs a block at a time. */
function matMulNBits(op: OpContext): Relation {
  const [size, inner] = [intAttribute(op.node, 'block_size', 0), intAttribute(op.node, 'K', 0)];
  const rank = op.shape(0).length;
  if (!(size > 0) || inner % size !== 0) throw new NoRelation('its last block is not full');
  if (op.has(4)) throw new NoRelation('its columns are permuted');
  if (op.inputCount > 6) throw new NoRelation('input 6 is not known');
  // Zero points of neighbouring blocks share a byte.
  const k = op.has(3) ? '#k' : 'k';
  const scales = op.shape(2).length === 1 ? `(n ${k})` : `n ${k}`;
  const zeroPoints = op.has(3) ? (op.shape(3).length === 1 ? '(n #z)' : 'n #z') : '_';
  const operands = [`… (${k} #e)`, `n ${k} #b`, scales, zeroPoints, '_', 'n'];
  const inputs = operands.slice(0, op.inputCount).map((axes, i) => (op.has(i) ? axes : '_'));
  return {
    notation: `${inputs.join(', ')} -> … n`,
    sizes: { k: inner / size, e: size, n: intAttribute(op.node, 'N', 0) },
    // A block's scale is as large as its largest weight, so it tells importance where packed weights can't.
    roles: [
      [...new Array<undefined>(rank - 1).fill(undefined), 'contract'],
      'pass',
      'produce',
      'pass',
      undefined,
      'shift',
    ],
    why: 'weights are packed in whole blocks',
  };
}
