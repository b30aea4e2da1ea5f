import type { CostModel, SizeOf } from '../cost/cost.js';
import { PruneError } from '../errors.js';

export type BudgetMeasure = (typeof measures)[number];

const measures = ['macs', 'parameters', 'bytes', 'latency'] as const;

/** Another word for a measure. */
const synonyms: Readonly<Record<string, BudgetMeasure>> = { params: 'parameters' };

/** Costs of plans; `latency` (milliseconds) where it was measured. */
export type Priced = CostModel & { readonly latency?: (count?: SizeOf) => number };

/**
 * A share of the dense cost (`0.5`, `'50%'`: at most 1) or an absolute cost (`3e8`, `'300M'`; `'3ms'`), by measure.
 * `params` is another word for `parameters`.
 */
export type BudgetOption = Readonly<Partial<Record<BudgetMeasure | 'params', number | string | undefined>>>;

/** How a limit is written as text. */
export const limitPattern = /^(\d+(\.\d*)?(e\d+)?|\.\d+)(%|[kKmMuU]?[sS]|[kKmMgGtT]?[bB]?)$/;

/** One limit in absolute numbers. */
export interface Limit {
  readonly measure: BudgetMeasure;
  /** As the user wrote it: `macs=50%`. */
  readonly text: string;
  readonly limit: number;
  readonly dense: number;
}

const milliseconds: Readonly<Record<string, number>> = { '': 1, us: 1e-3, ms: 1, s: 1000 };
const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };

/** @throws PruneError `invalid-option` for anything but positive shares and numbers. */
export function limitsOf(budget: BudgetOption, cost: Priced): Limit[] {
  return Object.entries(budget).flatMap(([name, value]): Limit[] => {
    if (value === undefined) return [];
    const text = `${name}=${value}`;
    const measure = synonyms[name] ?? measures.find((known) => known === name);
    if (measure === undefined) return invalid(text);
    const dense = costOf(cost, measure);
    return [{ measure, text, limit: absolute(text, measure, value, dense), dense }];
  });
}

function absolute(text: string, measure: BudgetMeasure, value: number | string, dense: number): number {
  const match = limitPattern.exec(String(value));
  if (!match) return invalid(text);
  const number = Number(match[1]);
  const unit = match[4]!.toLowerCase();
  if (!(number > 0)) return invalid(text);
  if (unit === '%') return (number / 100) * dense;
  if (unit === '' && number <= 1) return number * dense;
  const scale = measure === 'latency' ? milliseconds[unit] : units[unit.replace('b', '')];
  return scale === undefined ? invalid(text) : number * scale;
}

function invalid(text: string): never {
  throw new PruneError(
    'invalid-option',
    `invalid budget: ${text}; write macs, parameters, bytes or latency with a share or a number, e.g. macs=50%, parameters=1.2M or latency=3ms`,
  );
}

/** @throws PruneError `invalid-option` for the latency where nothing was measured. */
export function costOf(cost: Priced, measure: BudgetMeasure, count?: SizeOf): number {
  if (measure === 'latency') {
    if (cost.latency) return cost.latency(count);
    throw new PruneError(
      'invalid-option',
      'latency budgets need measurements; use prune, which takes them, or give another budget',
    );
  }
  return cost[measure](count);
}

export function meets(cost: Priced, limits: readonly Limit[], count: SizeOf): boolean {
  return limits.every(({ measure, limit }) => costOf(cost, measure, count) <= limit);
}

/** How a budget came out. */
export interface BudgetOutcome {
  readonly measure: BudgetMeasure;
  /** As the user wrote it. */
  readonly text: string;
  readonly dense: number;
  readonly limit: number;
  readonly reached: number;
  /**
   * The least that this cost would be with one more step of any one group that breaks a budget; undefined if the plan
   * is whole. Shows that a plan far below its limit is as near as the granularity allows.
   */
  readonly nextAbove: number | undefined;
}

/**
 * @param kept channels by candidate
 * @param next by candidate the next count above `kept`; undefined for groups at their size
 */
export function budgetOutcomes(
  cost: Priced,
  limits: readonly Limit[],
  kept: Int32Array,
  next: readonly (number | undefined)[],
  count: (kept: Int32Array) => SizeOf,
): BudgetOutcome[] {
  const raised = kept.slice();
  const above = limits.map(() => Infinity);
  next.forEach((step, i) => {
    if (step === undefined) return;
    raised[i] = step;
    const counts = count(raised);
    if (!meets(cost, limits, counts))
      limits.forEach(({ measure }, m) => (above[m] = Math.min(above[m]!, costOf(cost, measure, counts))));
    raised[i] = kept[i]!;
  });
  return limits.map(({ measure, text, dense, limit }, m) => ({
    measure,
    text,
    dense,
    limit,
    reached: costOf(cost, measure, count(kept)),
    nextAbove: Number.isFinite(above[m]) ? above[m] : undefined,
  }));
}

/** The largest excess over a limit, for telling how far a plan is from the budget. */
export function worstLimit(
  cost: Priced,
  limits: readonly Limit[],
  count: SizeOf,
): { limit: Limit; reached: number } {
  return limits
    .map((limit) => ({ limit, reached: costOf(cost, limit.measure, count) }))
    .reduce((a, b) => (b.reached / b.limit.limit > a.reached / a.limit.limit ? b : a));
}
