import { ops, opsIn } from '../../ops/index.js';
import { type AxisRule, type AxisRules, type OpContext } from '../rule.js';
import type { Relation, Role } from '../relation.js';

const pointwise =
  (role?: Role): AxisRule =>
  (op: OpContext): Relation => ({
    notation: `${inputs(op)} -> ${new Array(op.outputCount).fill('…').join(', ')}`,
    ...(role && { roles: new Array<Role>(op.inputCount).fill(role) }),
  });

const inputs = (op: OpContext): string => new Array(op.inputCount).fill('…').join(', ');

/** Of activations and constants alike: a constant operand scales or shifts the other one. */
function roleOf(op: string): Role | undefined {
  const { traits } = ops.get(op)!;
  return traits.has('scales') ? 'scale' : traits.has('shifts') ? 'shift' : undefined;
}

/** Each output element depends on the input elements at the same (broadcast) position. */
export const elementwise: AxisRules = Object.fromEntries(
  opsIn('elementwise').map((op) => [op, pointwise(roleOf(op))]),
);
