import * as v from 'valibot';
import type { Criterion } from '../criteria/criterion.js';
import { criterionNames } from '../criteria/names.js';
import type { CriterionFunction } from '../criteria/resolve.js';
import { aggregations, normalizations } from '../criteria/scheme.js';
import { lossNames } from '../gradients/loss-names.js';
import type { Loss } from '../gradients/losses.js';
import { schedules } from '../schedule/schedule.js';
import type { Options, OptionsOf } from './option.js';
import { choice, made, objectOf, text, wholeNumber } from './values.js';

const group = 'What goes first:';

/** Criteria by name. */
export const criterionName = choice([...criterionNames, 'knapsack']);

const loss = v.union([
  choice(lossNames),
  made<Loss>((value) => 'emit' in value, 'give a loss with a function emit'),
  objectOf(
    {
      loss: { schema: choice(lossNames) },
      output: { schema: text },
      axis: { schema: wholeNumber(Number.MIN_SAFE_INTEGER) },
      target: { schema: text },
    },
    ['loss'],
  ),
]);

/** How channels are scored. */
export const scoringOptions = {
  /**
   * A name, a function or an object. `knapsack` is `taylor` with `select: 'knapsack'`. Default: `obspa` where weights are
   * solved for afterwards (`reconstruct`), since what the rest can make up for then doesn't count; else `magnitude`.
   */
  criterion: {
    schema: v.union([
      criterionName,
      made<Criterion | CriterionFunction>(
        (value) => typeof value === 'function' || 'score' in value,
        'give a name, a function, or an object with a function score',
      ),
    ]),
    otherwise: 'obspa where the weights are reconstructed, else magnitude',
    flag: '--criterion <name>',
    group,
    help: `importance of a channel: ${criterionNames.join(', ')}, or knapsack (taylor with --select knapsack); from taylor on measured on --data`,
  },
  /** Over the members of a group. Default: the criterion's own, else `mean`. */
  aggregation: {
    schema: choice(aggregations),
    otherwise: 'by criterion, else mean',
    flag: '--aggregate <how>',
    group,
    help: `over the members of a group: ${aggregations.join(', ')}`,
  },
  /** Within a group. Default: the criterion's own, else `mean`. */
  normalization: {
    schema: choice(normalizations),
    otherwise: 'by criterion, else mean',
    flag: '--normalize <how>',
    group,
    help: `within a group: ${normalizations.join(', ')}`,
  },
  /**
   * What criteria with gradients differentiate, on `data`, and what `depthScore: 'loss'` measures. Default: cross-entropy
   * with labels, else with the model's own decisions; for depth the divergence from the dense model's outputs.
   */
  loss: {
    schema: loss,
    otherwise: "cross-entropy with labels, else pseudo-labels; for depth kl, from the dense model's outputs",
    flag: '--loss <name[=value]>',
    group,
    help: `what gradients are taken of, and what --depth-score loss measures: ${lossNames.join(', ')}; NAME=VALUE takes it of one value of the graph`,
    fromText: (given) => {
      const at = given.indexOf('=');
      return at < 0 ? given : { loss: given.slice(0, at), output: given.slice(at + 1) };
    },
  },
  /** Remove in this many steps, scores taken anew after each: 1 to 1,000. */
  steps: {
    schema: wholeNumber(1, 1000),
    default: 1,
    flag: '--steps <count>',
    group,
    help: 'remove in this many steps, scores taken anew after each',
  },
  /** How the share that is removed grows over the steps. */
  schedule: {
    schema: choice(schedules),
    default: 'linear',
    flag: '--schedule <curve>',
    group,
    help: `how the share grows over the steps: ${schedules.join(', ')}`,
  },
} as const satisfies Options;

export type ScoringOptions = OptionsOf<typeof scoringOptions>;
