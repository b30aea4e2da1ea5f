import type { PruningGroup } from '../groups/group.js';
import type { Aggregation, Normalization } from './scheme.js';
import type { Measurements } from '../members/measured.js';
import type { Power } from '../members/sums.js';
import type { MemberWeights } from '../members/weights.js';

/** Everything a criterion may need. What a criterion names in `needs` is computed, and typed in its context. */
export interface CriterionInputs extends Measurements {
  /** The group's weights, member by member; a tensor that is tied to several uses stands once. */
  readonly weights: readonly MemberWeights[];
  /** Seed of a generator; the same seed gives the same scores. */
  readonly seed: number | string;
}

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
