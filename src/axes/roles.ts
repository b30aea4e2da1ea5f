import type { AppliedRelation, LetterUse } from './apply.js';
import type { Axis } from './axis.js';
import type { AttentionLetters, Role } from './relation.js';

/** The role of the factors of `expression` on one input axis of a node. */
export interface RoleUse {
  readonly node: number;
  readonly input: number;
  readonly axis: number;
  readonly role: Role;
  readonly expression: Axis;
  /** Whether the other factor of a contraction is an activation too, as in attention. */
  readonly betweenActivations: boolean;
  /** The parameter that is read there, directly or through ops that only rearrange it: an index of `parameters`. */
  readonly parameter: number | undefined;
}

/** The parameter that an input reads: an index, undefined if several, null if it depends on the data. */
export type ParameterRead = number | undefined | null;

/** The roles that a relation gives to the axes of a node's inputs. */
export function rolesOf(
  node: number,
  { stated, uses, outputLetters }: AppliedRelation,
  reads: readonly ParameterRead[],
): RoleUse[] {
  const { contraction: factors, attention } = stated;
  const betweenActivations =
    !!factors && factors.length > 1 && factors.every((input) => reads[input] === null);
  const roleOf = roleFinder({ stated, uses, outputLetters });
  const roles: RoleUse[] = [];
  for (const use of uses) {
    const role = roleOf(use);
    const read = reads[use.input];
    // Of activations only what changes values matters: scale and shift belong to constants.
    if (!role || (read === null && (role === 'scale' || role === 'shift'))) continue;
    const { input, axis, expression } = use;
    roles.push({ node, input, axis, role, expression, betweenActivations, parameter: read ?? undefined });
  }
  // What happens inside an attention op: seen by the proof and by what tells heads from head dims, not by criteria.
  for (const { input, axis, letter, expression } of attention ? uses : []) {
    const role = attentionRole(attention!, letter);
    if (role)
      roles.push({ node, input, axis, role, expression, betweenActivations: true, parameter: undefined });
  }
  return roles;
}

function roleFinder({
  stated: { contraction, normalize, sums, roles },
  uses,
  outputLetters,
}: Pick<AppliedRelation, 'stated' | 'uses' | 'outputLetters'>): (use: LetterUse) => Role | undefined {
  const sides = new Map<string, Set<number>>();
  for (const { input, letter } of contraction ? uses : [])
    if (contraction!.includes(input)) sides.set(letter, (sides.get(letter) ?? new Set()).add(input));
  return ({ input, axis, letter }) => {
    const given = roles?.[input];
    if (given) return typeof given === 'string' ? given : given[axis];
    if (contraction) {
      if (!contraction.includes(input)) return 'shift';
      if (!outputLetters.has(letter)) return 'contract';
      return sides.get(letter)!.size > 1 ? 'batch' : 'produce';
    }
    if (input === 0 && normalize?.includes(letter)) return 'normalize';
    return input === 0 && sums?.includes(letter) ? 'contract' : undefined;
  };
}

function attentionRole({ heads, contracted, carried }: AttentionLetters, letter: string): Role | undefined {
  if (heads.includes(letter)) return 'batch';
  if (contracted.includes(letter)) return 'contract';
  return carried.includes(letter) ? 'produce' : undefined;
}
