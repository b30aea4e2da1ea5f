import { PruneError } from '../errors.js';
import type { BudgetOption } from './budget.js';
import type { MultipleRule } from './multiples.js';

/** Where channels are ranked against each other. */
export type Scope = (typeof scopes)[number];

export const scopes = ['local', 'global', 'isomorphic'] as const;

/** Which factor of an attention's hidden axis `(heads head-dims)` loses channels. */
export type AttentionOption = (typeof attentionOptions)[number];

export const attentionOptions = ['heads', 'head-dims', 'both', 'none'] as const;

/**
 * How many channels each group loses: `uniform` by a common ratio in the scope, `knapsack` by importance against exact
 * costs under the budgets, `measured` likewise, but groups are weighed by what their cuts do to the model's outputs, and
 * the plan is tried beside plain ones; it needs data and weights that are solved for.
 */
export type SelectMethod = (typeof selectMethods)[number];

export const selectMethods = ['uniform', 'knapsack', 'measured'] as const;

/** What solves a knapsack: our own search, or integer programmes by HiGHS, slower and the reference. */
export type KnapsackSolver = (typeof solvers)[number];

export const solvers = ['greedy', 'highs'] as const;

/** What is removed and what must stay; nothing is left to a default. See `src/options` for what each one means. */
export interface SelectSettings {
  /** Exactly one of `ratio` and `budget`. */
  readonly ratio?: number | undefined;
  readonly budget?: BudgetOption | undefined;
  readonly solver: KnapsackSolver;
  readonly scope: Scope;
  readonly ratios: Readonly<Record<string, number>>;
  readonly ignore: readonly string[];
  /** Undefined or empty: all may go. */
  readonly only?: readonly string[] | undefined;
  readonly minChannels: number;
  readonly maxRatio: number;
  /** `auto` has to be measured first, and `fast` needs a rule. */
  readonly roundTo: number | 'auto' | 'fast';
  /** The rule of `fast`. */
  readonly multiples?: MultipleRule | undefined;
  readonly attention: AttentionOption;
  readonly residualStream: boolean;
}

/** @throws PruneError `invalid-option` for what only `prune` can find out */
export function multipleOf({ roundTo, multiples }: SelectSettings): number | MultipleRule {
  if (typeof roundTo === 'number') return roundTo;
  if (roundTo === 'fast' && multiples) return multiples;
  throw new PruneError(
    'invalid-option',
    `invalid roundTo: ${roundTo}; use a number here: only prune can tell which is best`,
  );
}
