import { intAttribute } from '../../onnx/attributes.js';
import type { Relation, Role } from '../relation.js';
import { letters, microsoft, presentInputs, type AxisRules, type OpContext } from '../rule.js';
import { quantized, quantizers } from './contraction.js';

/** What onnxruntime's optimiser and quantizer emit, but for sums of products. Source: onnxruntime's docs/ContribOperators.md. */
export const fused: AxisRules = {
  ...microsoft('Gelu QuickGelu', '… -> …'),
  ...microsoft('BiasGelu FastGelu', (op) => ({
    notation: op.has(1) ? '…, … -> …' : '… -> …',
    roles: [undefined, 'shift'],
  })),
  ...microsoft('SkipLayerNormalization', (op) => skipNorm(op, 5)),
  ...microsoft('SkipSimplifiedLayerNormalization', (op) => skipNorm(op, 4)),
  // Runs as long as the scale are normalised one by one, as those of heads are.
  ...microsoft('GatedRMSNorm', {
    notation: '… (h c), c, … (h c) -> … (h c)',
    normalize: ['c'],
    roles: [undefined, 'scale'],
  }),
  ...microsoft('EmbedLayerNormalization', embedNorm),
  ...microsoft('QLinearAdd QLinearMul', (op) => {
    const b = quantized(op, [1, ''], [2, '']);
    return {
      notation: `…${b}, …${quantized(op, [4, ''], [5, ''], [6, ''], [7, ''])} -> …`,
      roles: quantizers(1, 2, 4, 5, 6, 7),
    };
  }),
  ...microsoft('QLinearSigmoid QLinearLeakyRelu', (op) => ({
    notation: `…${quantized(op, [1, ''], [2, ''], [3, ''], [4, ''])} -> …`,
    roles: quantizers(1, 2, 3, 4),
  })),
  ...microsoft('QLinearGlobalAveragePool QLinearAveragePool', (op) => {
    const x = intAttribute(op.node, 'channels_last', 0) ? 'n #… c' : 'n c #…';
    return {
      notation: `${x}${quantized(op, [1, ''], [2, ''], [3, ''], [4, ''])} -> ${x}`,
      roles: quantizers(1, 2, 3, 4),
      why: 'spatial positions are shared by a pooling window',
    };
  }),
  ...microsoft('QLinearConcat', (op) => {
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
};

/** Norm of input + skip (+ bias): input, skip, gamma, beta (only if centred), bias. */
function skipNorm(op: OpContext, count: number): Relation {
  const x = letters(op.shape(0).length);
  const last = x.at(-1)!;
  const dims = op.shape(1);
  const skip = x.slice(x.length - dims.length).map((letter, i) => (dims[i] === 1 ? '1' : letter));
  const inputs = presentInputs(op, x.join(' '), skip.join(' '), ...new Array<string>(count - 2).fill(last));
  const statistics = [...x.slice(0, -1), '1'].join(' ');
  const outputs = [x.join(' '), statistics, statistics, x.join(' ')].slice(0, op.outputCount);
  const roles: readonly (Role | undefined)[] =
    count === 5
      ? [undefined, undefined, 'scale', 'shift', 'shift']
      : [undefined, undefined, 'scale', 'shift'];
  return { notation: `${inputs} -> ${outputs.join(', ')}`, normalize: [last], roles };
}

/** Sum of three embeddings, normalised. */
function embedNorm(op: OpContext): Relation {
  const inputs = presentInputs(op, 'n #s', 'n #s', '#v h', '#p h', '#t h', 'h', 'h', '_', '_');
  const outputs = ['n #s h', 'n', 'n #s h'].slice(0, op.outputCount);
  return {
    notation: `${inputs} -> ${outputs.join(', ')}`,
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
