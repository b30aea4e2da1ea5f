import { opsIn, ops } from '../../ops/index.js';
import type { Op } from '../../ops/op.js';
import type { AxisRule, AxisRules, OpContext } from '../rule.js';
import type { Relation, Role } from '../relation.js';

const pointwise =
  (role?: Role): AxisRule =>
  (op: OpContext): Relation => ({
    notation: `${inputs(op)} -> ${new Array(op.outputCount).fill('…').join(', ')}`,
    ...(role && { roles: new Array<Role>(op.inputCount).fill(role) }),
  });

const inputs = (op: OpContext): string => new Array(op.inputCount).fill('…').join(', ');

function roleIn({ traits }: Op): Role | undefined {
  if (traits.has('scales')) return 'scale';
  return traits.has('shifts') ? 'shift' : undefined;
}

/** Each output element depends on the input elements at the same (broadcast) position. */
export const elementwise: AxisRules = Object.fromEntries(
  opsIn('elementwise').map((name) => [name, pointwise(roleIn(ops.get(name)!))]),
);
