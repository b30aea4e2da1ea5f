import * as v from 'valibot';
import type { SumsMaker } from '../members/sums.js';
import { modelOptions } from './analyze.js';
import { commonOptions } from './common.js';
import { data } from './data.js';
import { depthOptions } from './depth.js';
import { latencyCache, measurementOptions, seed } from './measurement.js';
import type { Options, OptionsOf } from './option.js';
import { proofOptions } from './proof.js';
import { repairOptions } from './repair.js';
import { scoringOptions } from './scoring.js';
import { selectionOptions } from './selection.js';
import { distilOptions, recipe } from './training.js';
import { aFunction, objectOf, toggle } from './values.js';

/** Every option of `prune`; its order is that of the help. */
export const pruneOptions = {
  ...commonOptions,
  ...selectionOptions,
  ...depthOptions,
  ...scoringOptions,
  ...modelOptions,
  ...proofOptions,
  /**
   * Calibration data: examples like those the model will see; 1,024 are plenty, and are drawn at random from a file unless
   * `limit` and `draw` say otherwise. Criteria with gradients use labels if there are any. Held in memory for
   * reconstruction, with some activations of each.
   */
  data: {
    schema: data,
    flag: '--data <path>',
    group: 'Data:',
    help: 'examples to score and reconstruct on (1024 of them, shuffled, unless --limit and --draw say otherwise) and to evaluate both models on: .npz, .npy, IDX, CIFAR, a folder of images, random, or synthetic (data-free: noise that is shaped like pictures)',
  },
  ...repairOptions,
  ...measurementOptions,
  /** Latencies of ops that were measured before. Default: a file in the user's cache. */
  latencyCache,
  /** Sums weights for criteria that take sums. Default: threads, one a core, for large models that lie in files. */
  weightSums: { schema: aFunction<SumsMaker>() },
  /** Train what is left towards the dense model, on `data` unless settings give other data. */
  distil: {
    schema: v.union([toggle, objectOf(distilOptions)], 'use true, false or an object'),
    default: false,
    flag: '--distil',
    group: 'Training:',
    help: 'train what is left towards the dense model, on all of --data; needs no labels',
  },
  /**
   * Prune while training, before channels are removed: a name, or a recipe of one's own; trained as `distil` says, on its
   * data. Default: none.
   */
  recipe: {
    schema: recipe,
    flag: '--recipe <name>',
    group: 'Training:',
    help: 'prune while training, before channels are removed: gradual, hesso, hesso-cric, mask-sparsity, annealing, group-lasso; with --distil, which trains before and after alike',
  },
  /** Seed of random criteria, of draws, and of the inputs of the proof. */
  seed,
} as const satisfies Options;

/**
 * Options of `prune`: one of `ratio`, `budget` and `plan`, or `depth` with or without one of the first two. What isn't
 * given has the same default in the library, on the command line and in a sweep.
 */
export type PruneOptions = OptionsOf<typeof pruneOptions>;
