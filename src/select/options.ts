import { PruneError } from '../errors.js';
import type { BudgetOption } from './budget.js';

/** Where channels are ranked against each other. */
export type Scope = 'local' | 'global' | 'isomorphic';

/** Which factor of an attention's hidden axis `(heads head-dims)` loses channels. */
export type AttentionOption = 'heads' | 'head-dims' | 'both' | 'none';

/**
 * How many channels each group loses: `uniform` by a common ratio in the scope, `knapsack` by importance against exact
 * costs under the budgets, `measured` likewise, but groups are weighed by what their cuts do to the model's outputs, and
 * the plan is tried beside plain ones; it needs data and weights that are solved for.
 */
export type SelectMethod = 'uniform' | 'knapsack' | 'measured';

/** What solves a knapsack: our own search, or integer programmes by HiGHS, slower and the reference. */
export type KnapsackSolver = 'greedy' | 'highs';

/** What is removed and what must stay. Exactly one of `ratio` and `budget`. */
export interface SelectOptions {
  /** Share of channels to remove, in [0, 1). */
  readonly ratio?: number | undefined;
  /** Costs to stay at or below. */
  readonly budget?: BudgetOption | undefined;
  /**
   * Default `uniform`; under a budget `knapsack` where the criterion's scores are comparable between groups (`obspa`) and
   * neither `scope` nor `ratios` is given, which are of no use to it, and `measured` where weights are solved for as well.
   * Both need a budget.
   */
  readonly select?: SelectMethod | undefined;
  /** Of `select: 'knapsack'`. Default `greedy`. */
  readonly solver?: KnapsackSolver | undefined;
  /** Default `local`: each group loses the same share. */
  readonly scope?: Scope | undefined;
  /** Ratios of single groups by glob over group, node and tensor names; the first glob that matches holds. */
  readonly ratios?: Readonly<Record<string, number>> | undefined;
  /** Globs over node and tensor names (`*` also crosses `/`): groups with a member that matches stay whole. */
  readonly ignore?: readonly string[] | undefined;
  /** Globs over node and tensor names: groups without a member that matches stay whole. */
  readonly only?: readonly string[] | undefined;
  /** Fewest kept positions of every weight axis a group appears in. Default 1. */
  readonly minChannels?: number | undefined;
  /**
   * Largest share a group may lose, in [0, 1]; one channel always stays.
   * Default 1 for `local`; 0.9 for the other scopes and for `knapsack`, where one group's scores could make it collapse.
   */
  readonly maxRatio?: number | undefined;
  /**
   * Kept positions of every weight axis are a multiple of this, where that can be. Default 1. `auto` takes the multiple
   * that runs fastest where the model is to run, by measurement; it is also the default under a budget of latency.
   */
  readonly roundTo?: number | 'auto' | undefined;
  /** Default `head-dims`. */
  readonly attention?: AttentionOption | undefined;
  /** Also prune groups that statistics are taken over, which changes the function. Default false. */
  readonly residualStream?: boolean | undefined;
}

/** Options with their defaults. */
export interface ResolvedOptions {
  readonly select: SelectMethod;
  readonly solver: KnapsackSolver;
  readonly scope: Scope;
  readonly ratios: readonly (readonly [glob: string, ratio: number])[];
  readonly ignore: readonly string[];
  readonly only: readonly string[] | undefined;
  readonly minChannels: number;
  readonly maxRatio: number;
  readonly roundTo: number;
  readonly attention: AttentionOption;
  readonly residualStream: boolean;
}

const methods: readonly SelectMethod[] = ['uniform', 'knapsack', 'measured'];
const solvers: readonly KnapsackSolver[] = ['greedy', 'highs'];
const scopes: readonly Scope[] = ['local', 'global', 'isomorphic'];
const attentions: readonly AttentionOption[] = ['heads', 'head-dims', 'both', 'none'];

/** @throws PruneError `invalid-option` naming the first option that is out of range. */
export function resolveOptions(options: SelectOptions): ResolvedOptions {
  const { scope = 'local', attention = 'head-dims', minChannels = 1, roundTo = 1 } = options;
  const { select = 'uniform', solver = 'greedy', ratios = {} } = options;
  const { maxRatio = scope === 'local' && select === 'uniform' ? 1 : 0.9 } = options;
  oneOf('select method', select, methods);
  oneOf('solver', solver, solvers);
  oneOf('scope', scope, scopes);
  oneOf('attention option', attention, attentions);
  positiveInteger('min channels', minChannels);
  if (roundTo === 'auto') invalid('round to', roundTo, 'a number here; only prune can measure which is best');
  positiveInteger('round to', roundTo);
  if (!(maxRatio >= 0 && maxRatio <= 1)) invalid('max ratio', maxRatio, 'a number in [0, 1]');
  if (options.ratio !== undefined) checkRatio('ratio', options.ratio);
  for (const [glob, ratio] of Object.entries(ratios)) checkRatio(`ratio of '${glob}'`, ratio);
  return {
    select,
    solver,
    scope,
    ratios: Object.entries(ratios),
    ignore: options.ignore ?? [],
    only: options.only && options.only.length > 0 ? options.only : undefined,
    minChannels,
    maxRatio,
    roundTo,
    attention,
    residualStream: options.residualStream ?? false,
  };
}

function checkRatio(what: string, ratio: number): void {
  if (!(ratio >= 0 && ratio < 1)) invalid(what, ratio, 'a number in [0, 1)');
}

function oneOf(what: string, value: string, names: readonly string[]): void {
  if (!names.includes(value)) invalid(what, value, `one of ${names.join(', ')}`);
}

function positiveInteger(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) invalid(what, value, 'a positive integer');
}

function invalid(what: string, value: unknown, remedy: string): never {
  throw new PruneError('invalid-option', `invalid ${what}: ${String(value)}; use ${remedy}`);
}
