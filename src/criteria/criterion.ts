import type { PruningGroup } from '../groups/group.js';
import type { MemberHessian } from './obspa.js';
import type { Aggregation, Normalization } from './scheme.js';
import type { MemberActivation, MemberCurvature, MemberDrift, MemberSensitivity } from './sensitivity.js';
import type { Power } from './sums.js';
import type { MemberWeights } from './weights.js';

/** Everything a criterion may need. What a criterion names in `needs` is computed, and typed in its context. */
export interface CriterionInputs {
  /** The group's weights, member by member; a tensor that is tied to several uses stands once. */
  readonly weights: readonly MemberWeights[];
  /** Seed of a generator; the same seed gives the same scores. */
  readonly seed: number | string;
  /** First-order sensitivities of the members, in minibatches of the data. Needs data. */
  readonly gradients: readonly MemberSensitivity[];
  /**
   * (∂L/∂z)² at z = 1 of a gate on each channel where a node makes it, averaged over minibatches: one list per node, of
   * the normalisation layers if the group has any. Needs data.
   */
  readonly gates: readonly ArrayLike<number>[];
  /** `gradients` with one example a minibatch. Needs data. */
  readonly exampleGradients: readonly MemberSensitivity[];
  /** Hessian-gradient products of the members, over all data. Needs data. */
  readonly curvature: readonly MemberCurvature[];
  /** What the members that contract the channel read. Needs data. */
  readonly activations: readonly MemberActivation[];
  /** Layers that contract the channel, with the inverse second moments of what they read. Needs data. */
  readonly hessians: readonly MemberHessian[];
  /** How far the data is from what normalisations recorded in training; empty where none did. Needs data. */
  readonly drift: readonly MemberDrift[];
  /** What removing each channel costs, for a group that was given a basis in which that is known. Comes with `hessians`. */
  readonly basisLosses: ArrayLike<number> | undefined;
}

/** The needs that are measured on data. */
export const dataNeeds = [
  'gradients',
  'gates',
  'exampleGradients',
  'curvature',
  'activations',
  'hessians',
  'drift',
  'basisLosses',
] as const satisfies readonly (keyof CriterionInputs)[];

/** A need that is measured on data. */
export type DataNeed = (typeof dataNeeds)[number];

/** What was measured on data for one group: what the criterion needs of it. */
export type Measured = Partial<Pick<CriterionInputs, DataNeed>>;

export type Need = keyof CriterionInputs;

export type CriterionContext<N extends Need = Need> = { readonly group: PruningGroup } & Pick<
  CriterionInputs,
  N
>;

/**
 * One importance per channel of the group, higher = kept; or one such list for each slice (member) it was computed
 * from, which are then aggregated. Undefined if the group has nothing the criterion could read: it is kept whole.
 */
export type CriterionResult = ArrayLike<number> | readonly ArrayLike<number>[] | undefined;

/** How important channels are. Criteria ask for the roles of members, never for ops. */
export interface Criterion<N extends Need = Need> {
  readonly name: string;
  readonly needs: readonly N[];
  /** Takes sums of abs(w) to this power of every weight: they may be made ready before it is asked. */
  readonly power?: Power;
  /** Scores are on one scale for all groups: a budget is best shared out by them (`select: 'knapsack'`). Default false. */
  readonly isComparable?: boolean;
  /** Its own defaults in place of `mean`. */
  readonly aggregation?: Aggregation;
  readonly normalization?: Normalization;
  score(context: CriterionContext<N>): CriterionResult;
}

/** Declares a criterion: the names in `needs` type the context that `score` gets. */
export function defineCriterion<const N extends Need>(criterion: Criterion<N>): Criterion<N> {
  return criterion;
}
