import { depthScores, depthUnits } from '../depth/options.js';
import type { Options, OptionsOf } from './option.js';
import * as v from 'valibot';
import { choice } from './values.js';

const depthRemedy = 'use a number between 0 and 1';

/** Residual branches that are removed whole, before channels are. */
export const depthOptions = {
  /**
   * Share of the residual branches (or blocks, `depthUnit`) to remove, between 0 and 1, rounded to whole ones. Alone, or with a
   * ratio or a budget for the channels of what is left; budgets stay shares of the dense model. Needs `data`.
   */
  depth: {
    schema: v.pipe(v.number(depthRemedy), v.gtValue(0, depthRemedy), v.ltValue(1, depthRemedy)),
    flag: '--depth <share>',
    group: 'How much goes (one of the first three):',
    help: 'share of the residual branches to remove first; alone, or with --ratio or --budget for the channels that are left; needs --data',
  },
  /**
   * `loss`: how much the loss rises without a branch, measured anew after each removal: the divergence from the dense
   * model's outputs (KL), which needs no labels, or the option `loss`. `similarity`: how little it changes the stream, in
   * one pass.
   */
  depthScore: {
    schema: choice(depthScores),
    default: 'loss',
    flag: '--depth-score <name>',
    group: 'What goes first:',
    help: 'which branches go: those without which the loss rises least, measured anew after each (loss), or those that change the stream least, in one pass (similarity)',
  },
  /** Whether branches go one by one, or in `block`s: the shortest sequence of them that repeats. */
  depthUnit: {
    schema: choice(depthUnits),
    default: 'branch',
    flag: '--depth-unit <unit>',
    group: 'What may go:',
    help: 'whether residual branches go one by one (branch) or in the sequence that repeats, e.g. attention with MLP (block)',
  },
} as const satisfies Options;

export type DepthOptions = OptionsOf<typeof depthOptions>;
