import type { PruningGroup } from '../groups/group.js';
import type { FollowedLayer } from '../layers/find.js';

/**
 * Values through which the channels of a group run from the layers that write them to what sums over them, and meet
 * nothing but linear ops that treat all channels alike: additions of each other, products with what is the same for all
 * channels, rearrangements, averages over other axes. The channels are coordinates then, and any basis does as well.
 */
export interface Flow {
  readonly group: PruningGroup;
  readonly writers: readonly FollowedLayer[];
  /** Layers that sum over the channels. */
  readonly readers: readonly FollowedLayer[];
  /** Products of two activations that do, as that of queries and keys does. */
  readonly products: readonly ProductUse[];
  /** Nodes that the values pass, by index and in order. */
  readonly passes: readonly number[];
}

/** One side of such a product. */
export interface ProductUse {
  readonly node: number;
  readonly input: 0 | 1;
  readonly value: string;
}
