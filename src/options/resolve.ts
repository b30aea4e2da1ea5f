import { resolveCriterion, type CriterionSpec } from '../criteria/resolve.js';
import type { DataSource } from '../data/batch.js';
import type { DataOptions } from '../data/options.js';
import { PruneError } from '../errors.js';
import type { ReconstructOptions } from '../reconstruct/reconstruct.js';
import type { TrainOptions } from '../training/options.js';
import type { Runtime } from '../runtime/runtime.js';
import type { SelectMethod, SelectSettings } from '../select/options.js';
import type { Data } from './data.js';
import { pruneOptions, type PruneOptions } from './prune.js';
import type { WithDefaults } from './option.js';
import { selectionOptions, type SelectionOptions } from './selection.js';
import { defined, validate, withDefaults } from './validate.js';

/** Options of `prune` with nothing left to a default but what follows from the model, its data and the machine. */
export interface ResolvedOptions
  extends
    Omit<WithDefaults<typeof pruneOptions>, keyof SelectSettings | keyof Settled>,
    SelectSettings,
    Settled {}

/** What the pipeline takes: the same with data that is open, and with what runs models. */
export interface PipelineOptions extends Omit<ResolvedOptions, 'data' | 'verifyData' | 'runtime' | 'distil'> {
  readonly runtime: Runtime;
  readonly data?: DataSource | undefined;
  readonly verifyData?: DataSource | undefined;
  readonly distil?: boolean | EngineDistilOptions | undefined;
}

/** How the engine trains: on data that is open. */
export interface EngineDistilOptions extends TrainOptions {
  readonly data?: DataSource | undefined;
}

/** Options of `prune` for the engine alone, which opens no files. */
export type EngineOptions = Omit<PruneOptions, 'data' | 'verifyData' | 'runtime' | 'distil'> &
  Pick<PipelineOptions, 'runtime' | 'data' | 'verifyData' | 'distil'>;

/** @throws PruneError `invalid-option`, see `resolveOptions` */
export function resolvePipelineOptions(given: EngineOptions): PipelineOptions {
  const { runtime, data, verifyData, distil } = given;
  return { ...resolveOptions(given), runtime, data, verifyData, distil };
}

/** What follows from several options at once. */
interface Settled {
  readonly criterion: CriterionSpec;
  readonly select: SelectMethod;
  readonly reconstruct: false | ReconstructOptions;
  readonly data?: DataSource | DataOptions | undefined;
  readonly verifyData?: DataSource | DataOptions | undefined;
}

/**
 * What is to be done, from what was asked for: the only place where defaults of `prune` stand, whether a program, the
 * command line or a sweep asks. Resolving twice changes nothing.
 * @throws PruneError `invalid-option` naming the first option that isn't known, doesn't fit, or contradicts another.
 */
export function resolveOptions(given: PruneOptions): ResolvedOptions {
  const asked = validate(pruneOptions, given ?? {});
  checkTarget(asked);
  const seed = asked.seed ?? pruneOptions.seed.default;
  const reconstruct = reconstructionOf(asked);
  const { criterion, select } = scoringOf(asked, reconstruct);
  return {
    ...withDefaults(pruneOptions, asked),
    ...selectionOf({ ...asked, select }, 'fast'),
    ...{ criterion, select, reconstruct, seed },
    data: calibrationData(asked.data, seed),
    verifyData: withSeed(asked.verifyData, seed),
  };
}

/** Which channels go, with the defaults: what `select` takes. @throws PruneError `invalid-option` */
export function resolveSelection(
  given: SelectionOptions,
): SelectSettings & { readonly select: SelectMethod } {
  return selectionOf(validate(selectionOptions, given), 1);
}

/** @param roundTo its default, where nothing is measured */
function selectionOf(
  asked: SelectionOptions,
  roundTo: 1 | 'fast',
): SelectSettings & { readonly select: SelectMethod } {
  const settings = withDefaults(selectionOptions, asked);
  const { select = 'uniform', scope, budget } = settings;
  const isEven = scope === 'local' && select === 'uniform';
  return {
    ...settings,
    select,
    // One group's scores could make it collapse where groups compete.
    maxRatio: asked.maxRatio ?? (isEven ? 1 : 0.9),
    roundTo: asked.roundTo ?? (budget?.latency === undefined ? roundTo : 'auto'),
  };
}

function checkTarget({ ratio, budget, plan, depth, roundTo, data }: PruneOptions): void {
  const fail = (message: string): never => {
    throw new PruneError('invalid-option', message);
  };
  const given = Object.entries({ ratio, budget, plan }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  if (given.length > 1) fail(`${given.join(' and ')} exclude each other; give one`);
  if (given.length === 0 && depth === undefined)
    fail('no target; give exactly one of ratio, budget and plan, or depth');
  if (depth === undefined) return;
  if (plan !== undefined) fail('depth and a plan exclude each other; give one');
  if (!data)
    fail('residual branches are scored on data; give data (random data tells at least how much they add)');
  const measured =
    budget?.latency === undefined ? roundTo === 'auto' && 'round to auto' : 'a budget of latency';
  if (measured)
    fail(
      `depth can't be chosen together with ${measured}; remove the branches first, then prune what was written`,
    );
}

/** Whether the basis of channels is chosen by what they are worth, which pays where weights are solved for. */
export function rotates({
  rotation,
  reconstruct,
}: Pick<ResolvedOptions, 'rotation' | 'reconstruct'>): boolean {
  return rotation && repairsWeights(reconstruct);
}

function repairsWeights(reconstruct: false | ReconstructOptions): boolean {
  return reconstruct !== false && (reconstruct.repair ?? 'weights') === 'weights';
}

/** Whether a selection has to be measured where it is to run. */
export function needsMeasurement({ budget, roundTo }: Pick<PruneOptions, 'budget' | 'roundTo'>): boolean {
  return budget?.latency !== undefined || roundTo === 'auto';
}

function reconstructionOf({ reconstruct, data }: PruneOptions): false | ReconstructOptions {
  if (reconstruct === false || (reconstruct === undefined && data === undefined)) return false;
  if (data === undefined)
    throw new PruneError(
      'invalid-option',
      'reconstruction needs calibration data; give data, or leave it out',
    );
  return typeof reconstruct === 'object' ? reconstruct : {};
}

/**
 * What is solved for afterwards need not be near its old place: only what the rest can't make up for counts, which `obspa`
 * measures. Scores that can be weighed against each other share a budget out by a knapsack, unless the options say how.
 * The criterion `knapsack` is short for the importance and the selection of Knapsack Pruning (Aflalo et al., 2020).
 */
function scoringOf(
  asked: PruneOptions,
  reconstruct: false | ReconstructOptions,
): { readonly criterion: CriterionSpec; readonly select: SelectMethod } {
  if (asked.criterion === 'knapsack') return { criterion: 'taylor', select: 'knapsack' };
  const solves = repairsWeights(reconstruct);
  const criterion = asked.criterion ?? (solves ? 'obspa' : 'magnitude');
  const { select, budget, scope, ratios = {} } = asked;
  const isOpen = budget !== undefined && scope === undefined && Object.keys(ratios).length === 0;
  const isComparable = isOpen && select === undefined && resolveCriterion(criterion).isComparable === true;
  const isTried = solves && (asked.steps ?? 1) === 1 && !needsMeasurement(asked);
  return { criterion, select: select ?? (isComparable ? (isTried ? 'measured' : 'knapsack') : 'uniform') };
}

/** Enough to reconstruct on, and not one class only where a file is sorted by class. */
function calibrationData(data: Data | undefined, seed: number): DataSource | DataOptions | undefined {
  const seeded = withSeed(data, seed);
  return seeded && 'path' in seeded ? { limit: 1024, draw: 'shuffle', ...defined(seeded) } : seeded;
}

function withSeed(data: Data | undefined, seed: number): DataSource | DataOptions | undefined {
  if (typeof data === 'string') return { path: data, seed };
  return data && 'path' in data ? { seed, ...defined(data) } : data;
}
