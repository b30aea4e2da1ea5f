import type { Node } from '../onnx/model.js';
import type { Axis } from './axis.js';

/**
 * How a tensor axis takes part in an op. Criteria ask for roles, never for ops.
 * `produce` output axis of a weight · `contract` summed away · `batch` carried along by both sides of
 * a contraction · `scale`, `shift`, `mean`, `variance` per-channel parameters · `normalize` statistics
 * are taken over it · `pass` anything else.
 */
export type Role =
  'produce' | 'contract' | 'batch' | 'scale' | 'shift' | 'mean' | 'variance' | 'normalize' | 'pass';

/** What a rule says of one node: how its axes are related, and what follows for roles, cost and rewriting. */
export interface Relation {
  readonly notation: string;
  /**
   * Sizes that no single axis tells, by letter or expression of letters: `g`, `k r`, `e + e`. One that stands in an
   * attribute of the node is read from there, and written back when a plan changes it.
   */
  readonly sizes?: Readonly<Record<string, number | SizeAttribute>>;
  /** The inputs whose product is summed over the letters that the outputs lack; other inputs are added. */
  readonly contraction?: readonly number[];
  /** Whether each position of the input meets the whole kernel of a contraction, instead of each of the output. */
  readonly scatters?: boolean;
  /** The multiply-adds, where they are not one for each combination of a contraction's letters. */
  readonly multiplies?: MultiplyAdds;
  /** Letters of input 0 that the op takes statistics over. */
  readonly normalize?: readonly string[];
  /** Letters of input 0 that the op sums over. */
  readonly sums?: readonly string[];
  /** Letters of the products of activations inside an attention op. */
  readonly attention?: AttentionLetters;
  /** Roles by input, for all of its axes or axis by axis; contractions derive theirs. */
  readonly roles?: readonly (Role | undefined | readonly (Role | undefined)[])[];
  /** Why the axes marked `#` are blocked. */
  readonly why?: string;
}

/** An integer attribute that holds a size. */
export interface SizeAttribute {
  readonly attribute: string;
  /** What a node without the attribute means; undefined if it has to be there. */
  readonly otherwise: number | undefined;
}

/** A size that stands in an attribute. */
export function attribute(name: string, otherwise?: number): SizeAttribute {
  return { attribute: name, otherwise };
}

export interface MultiplyAdds {
  /** A sum of products: each term lists the axes whose sizes are multiplied, as an operand of the notation does. */
  readonly terms: readonly string[];
  /** The inputs that are multiplied: those that are constants are the node's weights. */
  readonly inputs: readonly number[];
}

/** Softmax(Q·K)·V in one op. */
export interface AttentionLetters {
  readonly heads: readonly string[];
  /** Dims summed away in Q·K. */
  readonly contracted: readonly string[];
  /** Dims that V carries. */
  readonly carried: readonly string[];
  /** The head size: scores are divided by its root unless the attribute `scale` holds another factor. */
  readonly headSize: string;
}

/** A relation together with the axes that its letters stand for. */
export interface StatedRelation extends Relation {
  /** Axes by letter, for relations with sizes or attention. */
  readonly letters: ReadonlyMap<string, Axis>;
  /** The axes whose sizes are multiplied, one list for each term of the multiply-adds; undefined if there are none. */
  readonly products?: readonly (readonly Axis[])[] | undefined;
}

/** What a relation is stated of. */
export interface Operands {
  readonly node: Node;
  /** Axes by input; undefined for an absent input. */
  readonly inputs: readonly (readonly Axis[] | undefined)[];
  /** Static dims by output, NaN where unknown; undefined for an absent output. */
  readonly outputs: readonly (readonly number[] | undefined)[];
}

/** A relation that can't hold for the operands it was given; the caller blocks them. */
export class RelationError extends Error {}
