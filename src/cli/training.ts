import type { DataOptions } from '../data/options.js';
import { PruneError } from '../errors.js';
import type { PruneOptions } from '../options/prune.js';
import { trainingOptions, type DistilOptions } from '../options/training.js';
import { withDataOptions } from './data.js';
import { without } from './flags.js';

/** Flags of training; those that the command has anyway are left out. */
export const trainingFlags = without(trainingOptions, ['seed', 'provider', 'threads']);

/**
 * What `--distil` and the flags of training say together; it trains on all of the data, whatever scores are taken on.
 * @throws PruneError `invalid-option` for flags of training without it
 */
export function distilOf(
  { distil = false, recipe, data }: PruneOptions,
  training: DistilOptions,
  reading: Partial<DataOptions>,
): PruneOptions['distil'] {
  const [first] = Object.keys(training) as (keyof typeof trainingFlags)[];
  if (distil === false && (first !== undefined || recipe !== undefined)) {
    const flag = first === undefined ? '--recipe' : trainingFlags[first].flag.split(' ')[0]!;
    throw new PruneError('invalid-option', `${flag} says how to train; give --distil too`);
  }
  if (distil === false) return false;
  const own = typeof distil === 'object' ? distil : {};
  const all = { ...reading, limit: undefined, draw: undefined };
  return { ...own, ...training, data: withDataOptions(own.data ?? data, all) };
}
