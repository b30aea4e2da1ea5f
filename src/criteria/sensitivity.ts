import type { Role } from '../axes/relation.js';
import type { Member } from '../groups/group.js';

/** What removing each channel's slice of a member does to the loss, to first order: sums of g·w over minibatches. */
export interface MemberSensitivity {
  readonly member: Member;
  readonly role: Role;
  /** Mean over minibatches of (Σ g·w)². */
  readonly squared: Float64Array;
  /** Mean over minibatches of Σ abs(g·w). */
  readonly absolute: Float64Array;
  /** Mean over minibatches of Σ (g·w)². */
  readonly elementwise: Float64Array;
  /** Σ abs(ḡ·w) with the gradient ḡ of the mean over all data. */
  readonly total: Float64Array;
}

/** What removing each channel's slice of a member does to the norm of the gradient: sums of w·Hg over all data. */
export interface MemberCurvature {
  readonly member: Member;
  readonly role: Role;
  /** Σ w·(Hg). */
  readonly signed: Float64Array;
  /** Σ abs(w·(Hg)). */
  readonly absolute: Float64Array;
}

/** What a member that contracts the channel reads of it, over examples and all other axes. */
export interface MemberActivation {
  readonly member: Member;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/**
 * Variance of each channel where a normalisation has recorded it in training, and on the data. Sums over the channel's
 * positions, where it has several.
 */
export interface MemberDrift {
  readonly member: Member;
  readonly recorded: Float64Array;
  readonly measured: Float64Array;
}

/**
 * Recorded variances within this factor are as the data has them: samples differ, and records are running averages. Data
 * like that of training stays below 1.2 in half of the channels.
 */
export const usualDrift = 1.5;

/** The sensitivities of members with one of the roles; of all members if none has one. */
export function withRoles<T extends { readonly role: Role }>(
  members: readonly T[],
  ...roles: readonly Role[]
): readonly T[] {
  const found = members.filter(({ role }) => roles.includes(role));
  return found.length > 0 ? found : members;
}
