import { resolveCriterion, type CriterionSpec } from '../criteria/resolve.js';
import { PruneError } from '../errors.js';
import type { PruneOptions } from '../options.js';
import type { Runtime } from '../runtime/runtime.js';

/** Options that say how channels are scored and chosen, and what everything runs on. */
export interface PipelineOptions extends PruneOptions {
  readonly runtime: Runtime;
  readonly criterion: CriterionSpec;
}

/** Whether a selection has to be measured where it is to run. */
export function needsMeasurement({ budget, roundTo }: PruneOptions): boolean {
  return budget?.latency !== undefined || roundTo === 'auto';
}

/** Whether the weights of layers are solved for, which also puts a basis of their channels to use. */
export function solvesForWeights({
  rotation = true,
  data,
  reconstruct = false,
}: Partial<PruneOptions>): boolean {
  const { repair = 'weights' } = typeof reconstruct === 'object' ? reconstruct : {};
  return rotation && data !== undefined && reconstruct !== false && repair === 'weights';
}

/**
 * Checks what is to go, and says how channels are chosen where the options don't: by a knapsack, if there is a budget and
 * scores that can be weighed against each other, with losses measured at the output where weights are solved for. The criterion `knapsack` is short for the importance and the selection
 * of Knapsack Pruning (Aflalo et al., 2020).
 * @throws PruneError `invalid-option`
 */
export function pipelineOptions(options: PruneOptions & { readonly runtime: Runtime }): PipelineOptions {
  checkSource(options);
  const { criterion = 'magnitude', select, budget, scope, ratios = {} } = options;
  if (criterion === 'knapsack') return { ...options, criterion: 'taylor', select: 'knapsack' };
  const isOpen = select === undefined && scope === undefined && Object.keys(ratios).length === 0;
  const isComparable = isOpen && budget !== undefined && resolveCriterion(criterion).isComparable;
  const isTried =
    solvesForWeights({ ...options, rotation: true }) &&
    (options.steps ?? 1) === 1 &&
    !needsMeasurement(options);
  return { ...options, criterion, ...(isComparable && { select: isTried ? 'measured' : 'knapsack' }) };
}

function checkSource(options: PruneOptions): void {
  const { ratio, budget, plan, depth } = options;
  const given = [ratio, budget, plan].filter((source) => source !== undefined).length;
  if (given > 1 || (given === 0 && depth === undefined))
    throw new PruneError('invalid-option', 'give exactly one of ratio, budget and plan');
  if (depth !== undefined && needsMeasurement(options))
    throw new PruneError(
      'invalid-option',
      `depth can't be chosen together with ${budget?.latency === undefined ? 'round to auto' : 'a budget of latency'}; remove the branches first, then prune what was written`,
    );
}
