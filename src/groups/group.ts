import type { Factor } from '../axes/axis.js';
import type { AxisCoupling, ParameterUse } from '../axes/couple.js';
import type { Role } from '../axes/relation.js';

/** One axis of one parameter that carries a group's factor. */
export interface Member {
  readonly parameter: ParameterUse;
  readonly axis: number;
  readonly role: Role;
}

/** A prunable dimension: a free factor with weights attached, and everything that goes when an index of it goes. */
export interface PruningGroup {
  /** `g0`, `g1`, … in graph order; stable for a given model. */
  readonly id: string;
  /** Name of the first tensor that produces it: what a user would call this group. */
  readonly name: string;
  readonly factor: Factor;
  /** Number of coupled channels. */
  readonly size: number;
  readonly members: readonly Member[];
  /**
   * Names of the nodes that statistics over this factor are taken by. Pruning such a group is legal but changes the
   * function (the residual stream of a LayerNorm transformer); empty for all others.
   */
  readonly normalizedBy: readonly string[];
  /** Its part in a product of activations: `heads` if batch, `head-dims` if contracted or carried by one side. */
  readonly attention: 'heads' | 'head-dims' | undefined;
  /** Batch axis of a weighted contraction: the groups of a grouped convolution. */
  readonly grouped: boolean;
  /**
   * For a factor whose positions are permuted somewhere: the channels (1) that have to stay. Undefined for all others,
   * whose channels can all go (but for the last).
   */
  readonly pinned: Uint8Array | undefined;
}

/** Score of a channel that went in an earlier step: below every other, so that it is first to go again. */
export const removedScore = -1e30;

/** Groups of a model, with everything needed to price, score, plan and rewrite them. */
export interface Grouping {
  readonly analysis: AxisCoupling;
  readonly groups: readonly PruningGroup[];
  readonly byFactor: ReadonlyMap<Factor, PruningGroup>;
}
