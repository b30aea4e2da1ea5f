import type { PruningGroup } from '../../groups/group.js';
import type { RandomGenerator } from '../../random/random.js';
import type { Values } from '../values.js';
import type { TrainedGroup } from './channels.js';

/** Channels that stay, 1, or go, 0, by group; groups that are not listed stay whole. */
export type Keeps = ReadonlyMap<PruningGroup, Uint8Array>;

/** Scores of channels, by group: the higher, the longer they stay. */
export type ChannelScores = ReadonlyMap<PruningGroup, Float64Array>;

/**
 * Chooses the channels that stay by their scores, within the budget.
 * @param share of the way from the whole model to the budget
 */
export type Chooser = (scores: ChannelScores, share: number) => Promise<Keeps>;

/** What a recipe is begun with. */
export interface RecipeSetup {
  readonly groups: readonly TrainedGroup[];
  /** Channels that were chosen before training, by the criterion of the options. */
  readonly chosen: Keeps;
  readonly choose: Chooser;
}

/** Where training is when a recipe is asked. */
export interface Moment {
  readonly values: Values;
  /** Number of the step that is taken, from 0, and of all steps. */
  readonly step: number;
  readonly steps: number;
  /** Drawn anew at each step: the same seed and step give the same numbers. */
  readonly random: RandomGenerator;
  /** Gradients of the last batch at other values. */
  readonly gradientsAt: (values: Values) => Promise<Values>;
}

/** A way to prune while training, on groups and roles. Its hooks are called in the order in which they stand here. */
export interface Recipe {
  /** Before each batch: the weights to compute with in place of the values. */
  forward?(moment: Moment): Values;
  /** Before each step: may change the gradients, in place. */
  gradients?(gradients: Values, moment: Moment): void | Promise<void>;
  /** After each step: may change the values, in place. */
  project?(moment: Moment): void;
  /** At the end: which channels stay. */
  finish(values: Values): Promise<Keeps>;
}

/** Makes a recipe for a model. */
export type RecipeMaker = (setup: RecipeSetup) => Recipe;

/** Factors of a group's channels: one value for those that stay, another for those that go. */
export function factorsOf(keep: Uint8Array, kept: number, gone: number): Float64Array {
  return Float64Array.from(keep, (bit) => (bit === 1 ? kept : gone));
}
