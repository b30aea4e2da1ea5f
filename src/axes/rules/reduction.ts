import { intAttribute } from '../../onnx/attributes.js';
import type { Relation } from '../relation.js';
import { axisIndex, letters, ruleFor, type AxisRule, type AxisRules, type OpContext } from '../rule.js';

type Kind = 'sums' | 'normalize' | 'blocked';

const reduce =
  (kind: Kind): AxisRule =>
  (op: OpContext): Relation => {
    const x = letters(op.shape(0).length);
    const given = op.parameter('axes')?.map((axis) => axisIndex(axis, x.length));
    if (!given?.length && intAttribute(op.node, 'noop_with_empty_axes', 0)) return { notation: '…, _ -> …' };
    const reduced = given?.length ? given : x.map((_, i) => i);
    return relation(x, reduced, intAttribute(op.node, 'keepdims', 1) === 1, kind, op.inputCount);
  };

function relation(
  x: readonly string[],
  reduced: readonly number[],
  keep: boolean,
  kind: Kind,
  inputCount: number,
): Relation {
  const gone = new Set(reduced);
  const input = x.map((letter, i) => (kind === 'blocked' && gone.has(i) ? `#${letter}` : letter));
  const output = x.flatMap((letter, i) => (gone.has(i) ? (keep ? ['1'] : []) : [letter]));
  const names = reduced.map((axis) => x[axis]!);
  return {
    notation: `${input.join(' ')}${inputCount > 1 ? ', _' : ''} -> ${output.join(' ')}`,
    ...(kind !== 'blocked' && { [kind]: names }),
    why: 'the reduction needs every element of this axis',
  };
}

const argExtreme: AxisRule = (op) => {
  const x = letters(op.shape(0).length);
  const axis = axisIndex(intAttribute(op.node, 'axis', 0), x.length);
  return relation(x, [axis], intAttribute(op.node, 'keepdims', 1) === 1, 'blocked', 1);
};

/**
 * A sum over removed channels is a contraction: masking its input is exact, as for norms and sums of
 * squares. Means and extremes are statistics. A product or log-sum-exp of zeros is not neutral.
 */
export const reduction: AxisRules = {
  ...ruleFor('ReduceSum ReduceSumSquare ReduceL1 ReduceL2 ReduceLogSum', reduce('sums')),
  ...ruleFor('ReduceMean ReduceMax ReduceMin', reduce('normalize')),
  ...ruleFor('ReduceProd ReduceLogSumExp', reduce('blocked')),
  ...ruleFor('ArgMax ArgMin', argExtreme),
  Det: { notation: '… #i #j -> …', why: 'a determinant needs every element' },
  DFT: (op) => {
    const x = letters(op.shape(0).length);
    const axis = op.parameter('axis')?.[0] ?? (op.opset < 20 ? 1 : -2);
    const at = axisIndex(axis, x.length);
    const input = x.map((letter, i) => (i === at || i === x.length - 1 ? `#${letter}` : letter));
    const output = input.map((letter) => (letter.startsWith('#') ? `${letter}transformed` : letter));
    const rest = new Array(op.inputCount - 1).fill(', _').join('');
    return {
      notation: `${input.join(' ')}${rest} -> ${output.join(' ')}`,
      why: 'a transform mixes all elements',
    };
  },
  STFT: (op) => {
    const signal = op.shape(0).length === 3 ? 'n #s #c' : 'n #s';
    const rest = new Array(op.inputCount - 1).fill(', _').join('');
    return { notation: `${signal}${rest} -> n #f #bins #complex`, why: 'a transform mixes all elements' };
  },
};
