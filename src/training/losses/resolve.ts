import { PruneError } from '../../errors.js';
import { cosine } from './cosine.js';
import { flow } from './flow.js';
import { kl } from './kl.js';
import { labels } from './labels.js';
import type { TrainingLoss, WeightedLoss } from './loss.js';
import { mse } from './mse.js';
import type { ValueStatistics } from './statistics.js';

/** Names of the losses that are built in. */
export const distilLosses = ['auto', 'kl', 'mse', 'cosine', 'labels', 'inner', 'flow'] as const;

export type DistilLossName = (typeof distilLosses)[number];

/** A built-in loss with settings. */
export interface DistilLossSettings {
  readonly loss: DistilLossName;
  /** The output that it reads. Default: for `auto`, `mse` all, for the others the first that suits them. */
  readonly output?: string | undefined;
  /** What it counts in the sum. Default 1. */
  readonly weight?: number | undefined;
  /** Temperature of `kl`. Default 4. */
  readonly temperature?: number | undefined;
  /** Axis of the classes, of `kl` and `cosine`. Default: 1; of outputs of rank 3 the last. */
  readonly axis?: number | undefined;
}

/** A name, a name with settings, or a loss of one's own. */
export type DistilLossSpec = DistilLossName | DistilLossSettings | TrainingLoss;

/** What losses are made from. */
export interface LossSources {
  /** Statistics of the dense model's outputs that the student has too, in order. */
  readonly outputs: readonly ValueStatistics[];
  /** Statistics of the dense model's values at the ends of blocks that the student has too, in order. */
  readonly inner: readonly ValueStatistics[];
}

/**
 * The parts of a loss.
 * @throws PruneError `invalid-option` for unknown names or outputs, and where a loss has nothing to read
 */
export function resolveLosses(specs: readonly DistilLossSpec[], sources: LossSources): WeightedLoss[] {
  return specs.flatMap((spec): WeightedLoss[] => {
    if (typeof spec === 'object' && 'emit' in spec) return [{ loss: spec, weight: 1 }];
    const settings = typeof spec === 'string' ? { loss: spec } : spec;
    const { weight = 1 } = settings;
    if (!Number.isFinite(weight) || weight < 0)
      throw new PruneError('invalid-option', `invalid weight of ${settings.loss}: ${weight}; give 0 or more`);
    const parts = partsOf(settings, sources);
    return parts.map((loss) => ({
      loss,
      weight: settings.loss === 'inner' ? weight / parts.length : weight,
    }));
  });
}

/** Whether a loss reads values at the ends of blocks. */
export function readsBlocks(loss: DistilLossName | undefined): boolean {
  return loss === 'inner' || loss === 'flow';
}

function partsOf(settings: DistilLossSettings, { outputs, inner }: LossSources): TrainingLoss[] {
  const { loss, output, temperature, axis } = settings;
  const named = output === undefined ? outputs : outputs.filter(({ name }) => name === output);
  if (named.length === 0)
    throw new PruneError(
      'invalid-option',
      `invalid output of ${loss}: ${output ?? 'none'}; the models share the float outputs ${outputs.map(({ name }) => name).join(', ') || 'none'}`,
    );
  const scores = named.find(({ rank }) => rank >= 2);
  const first = scores ?? named[0]!;
  switch (loss) {
    case 'auto':
      return named.map((value) => suited(value, settings));
    case 'kl':
      return [kl({ output: first.name, temperature, axis, probabilities: first.kind === 'probabilities' })];
    case 'mse':
      return named.map((value) => squared(value));
    case 'cosine':
      return [cosine({ output: first.name, axis })];
    case 'labels':
      return [labels({ output: first.name })];
    case 'inner':
      return blocks(inner, loss).map((value) => squared(value));
    case 'flow':
      return flows(blocks(inner, loss));
    default:
      throw new PruneError('invalid-option', `unknown distil loss: ${String(loss)}; use one of ${distilLosses.join(', ')}`); // prettier-ignore
  }
}

/** What suits an output by its values: KL for scores and probabilities of classes, cosine for unit vectors, else MSE. */
function suited(value: ValueStatistics, { temperature, axis }: DistilLossSettings): TrainingLoss {
  const { name, kind } = value;
  if (kind === 'scores' || kind === 'probabilities')
    return kl({ output: name, temperature, axis, probabilities: kind === 'probabilities' });
  return kind === 'unit' ? cosine({ output: name, axis }) : squared(value);
}

function squared({ name, axis, variances }: ValueStatistics): TrainingLoss {
  return mse({ value: name, axis, variances });
}

function blocks(inner: readonly ValueStatistics[], loss: string): readonly ValueStatistics[] {
  if (inner.length > 0) return inner;
  throw new PruneError('invalid-option', `${loss} has nothing to read: no residual branch ends at a value that both models have; leave it out`); // prettier-ignore
}

/** One flow for each run of successive values of one shape. */
function flows(values: readonly ValueStatistics[]): TrainingLoss[] {
  const runs: string[][] = [];
  let shape = '';
  for (const { name, shape: own } of values) {
    if (own !== shape) runs.push([]);
    shape = own;
    runs.at(-1)!.push(name);
  }
  return runs.filter(({ length }) => length > 1).map((run) => flow({ values: run }));
}
