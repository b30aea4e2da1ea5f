import { intAttribute, intsAttribute } from '../../onnx/attributes.js';
import { attribute, type Relation } from '../relation.js';
import { axisIndex, letters, NoRelation, ruleFor, type AxisRules, type OpContext } from '../rule.js';

export const normalization: AxisRules = {
  BatchNormalization: (op) => {
    // Training mode: the statistics are taken here, over all axes but the channels.
    if (intAttribute(op.node, 'training_mode', 0) === 1)
      return {
        notation: `#n c #…, c, c, c, c -> #n c #…${', c'.repeat(op.outputCount - 1)}`,
        roles: [undefined, 'scale', 'shift', 'mean', 'variance'],
        why: 'it takes statistics over this axis (training mode)',
      };
    if (op.outputCount > 1) throw new NoRelation('it is in training mode');
    return {
      notation: 'n c …, c, c, c, c -> n c …',
      roles: [undefined, 'scale', 'shift', 'mean', 'variance'],
    };
  },
  InstanceNormalization: (op) => {
    const axes = letters(op.shape(0).length);
    return {
      notation: `${axes.join(' ')}, b, b -> ${axes.join(' ')}`,
      normalize: axes.slice(2),
      roles: [undefined, 'scale', 'shift'],
    };
  },
  LayerNormalization: layerNorm,
  RMSNormalization: layerNorm,
  SimplifiedLayerNormalization: layerNorm,
  GroupNormalization: (op) => {
    const spatial = letters(op.shape(0).length - 2, 's');
    // Up to opset 20 scale and bias are per group.
    const parameter = op.opset >= 21 ? '(g c)' : 'g';
    const x = ['n (g c)', ...spatial].join(' ');
    return {
      notation: `${x}, ${parameter}, ${parameter} -> ${x}`,
      sizes: { g: attribute('num_groups', 1) },
      normalize: ['c', ...spatial],
      roles: [undefined, 'scale', 'shift'],
    };
  },
  LpNormalization: (op) => {
    const axes = letters(op.shape(0).length);
    const axis = axisIndex(intAttribute(op.node, 'axis', -1), axes.length);
    axes[axis] = `#${axes[axis]}`;
    return {
      notation: `${axes.join(' ')} -> ${axes.join(' ')}`,
      why: 'every element is divided by a norm over this axis',
    };
  },
  MeanVarianceNormalization: (op) => {
    const axes = letters(op.shape(0).length);
    const over = intsAttribute(op.node, 'axes') ?? [0, 2, 3];
    return {
      notation: `${axes.join(' ')} -> ${axes.join(' ')}`,
      normalize: over.map((axis) => axes[axisIndex(axis, axes.length)]!),
    };
  },
  LRN: { notation: 'n #c … -> n #c …', why: 'each channel is normalised by its neighbours' },
  ...ruleFor('Softmax LogSoftmax Hardmax', softmax),
};

function layerNorm(op: OpContext): Relation {
  const axes = letters(op.shape(0).length);
  const first = axisIndex(intAttribute(op.node, 'axis', -1), axes.length);
  const inner = axes.slice(first);
  const parameter = (input: number): string =>
    op
      .shape(input)
      .map((dim, i, dims) => (dim === 1 ? '1' : axes[axes.length - dims.length + i]))
      .join(' ');
  const parameters = Array.from({ length: op.inputCount - 1 }, (_, i) => parameter(i + 1));
  const statistics = [...axes.slice(0, first), ...inner.map(() => '1')].join(' ');
  const x = axes.join(' ');
  const outputs = [x, ...new Array<string>(op.outputCount - 1).fill(statistics)];
  return {
    notation: `${[x, ...parameters].join(', ')} -> ${outputs.join(', ')}`,
    normalize: inner,
    roles: [undefined, 'scale', 'shift'],
  };
}

function softmax(op: OpContext): Relation {
  const rank = op.shape(0).length;
  // Before opset 13 the input is seen as a matrix: everything from `axis` on is normalised together.
  const coerced = op.opset < 13;
  const axis = axisIndex(intAttribute(op.node, 'axis', coerced ? 1 : -1), rank);
  const x = letters(rank)
    .map((letter, i) => (i === axis || (coerced && i > axis) ? `#${letter}` : letter))
    .join(' ');
  return { notation: `${x} -> ${x}`, why: 'the softmax runs over this axis' };
}
