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

/** A layer that contracts a group's channels, with what is known of its inputs. */
export interface MemberHessian {
  /** Weights [outputs, columns], in float64. */
  readonly weights: Float64Array;
  readonly outputs: number;
  /**
   * Inverse of the damped second moments of the layer's inputs about their means, divided by the sum of squares of
   * its output about its mean: losses are then shares of the output's variance. [columns, columns]
   */
  readonly inverse: Float64Array;
  /** Channel of the group that each column belongs to; −1 for none. */
  readonly channels: Int32Array;
}

/** What is measured of one group on data. */
export interface Measurements {
  /** First-order sensitivities of the members, in minibatches of the data. */
  readonly gradients: readonly MemberSensitivity[];
  /**
   * (∂L/∂z)² at z = 1 of a gate on each channel where a node makes it, averaged over minibatches: one list per node, of
   * the normalisation layers if the group has any.
   */
  readonly gates: readonly ArrayLike<number>[];
  /** `gradients` with one example a minibatch. */
  readonly exampleGradients: readonly MemberSensitivity[];
  /** Hessian-gradient products of the members, over all data. */
  readonly curvature: readonly MemberCurvature[];
  /** What the members that contract the channel read. */
  readonly activations: readonly MemberActivation[];
  /** Layers that contract the channel, with the inverse second moments of what they read. */
  readonly hessians: readonly MemberHessian[];
  /** How far the data is from what normalisations recorded in training; empty where none did. */
  readonly drift: readonly MemberDrift[];
  /** What removing each channel costs, for a group that was given a basis in which that is known. Comes with `hessians`. */
  readonly basisLosses: ArrayLike<number> | undefined;
}

/** Something that is measured on data. */
export type DataNeed = keyof Measurements;

export const dataNeeds = [
  'gradients',
  'gates',
  'exampleGradients',
  'curvature',
  'activations',
  'hessians',
  'drift',
  'basisLosses',
] as const satisfies readonly DataNeed[];

/** What was measured of one group: what a criterion needs of it. */
export type Measured = Partial<Measurements>;

/**
 * Recorded variances within this factor are as the data has them: samples differ, and records are running averages. Data
 * like that of training stays below 1.2 in half of the channels.
 */
export const usualDrift = 1.5;

/** What is known of the members with one of the roles, in the order of the group; of all members if none has one. */
export function withRoles<T extends { readonly role: Role }>(
  members: readonly T[],
  ...roles: readonly Role[]
): readonly T[] {
  const found = members.filter(({ role }) => roles.includes(role));
  return found.length > 0 ? found : members;
}
