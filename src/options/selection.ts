import * as v from 'valibot';
import { limitPattern } from '../select/budget.js';
import { attentionOptions, scopes, selectMethods, solvers } from '../select/options.js';
import type { Options, OptionsOf } from './option.js';
import { choice, list, objectOf, ratio, record, share, text, toggle, wholeNumber } from './values.js';

const howMuch = 'How much goes (one of the first three):';
const what = 'What may go:';
const first = 'What goes first:';

const limitRemedy = "use a share ('50%', 0.5) or a number ('300M', 3e8, '3ms')";
const limit = v.union([
  v.pipe(v.string(), v.regex(limitPattern, limitRemedy)),
  v.pipe(v.number(), v.gtValue(0, limitRemedy), v.finite(limitRemedy)),
]);

/** The costs that can have a limit. */
const budget = v.pipe(
  objectOf({
    macs: { schema: limit },
    parameters: { schema: limit },
    bytes: { schema: limit },
    latency: { schema: limit },
    params: { schema: limit, old: true },
  }),
  v.check((limits) => Object.keys(limits).length > 0, "use an object such as { macs: '50%' }"),
);

/** Which channels go. */
export const selectionOptions = {
  /** Share of channels to remove, in [0, 1). */
  ratio: {
    schema: ratio,
    flag: '--ratio <share>',
    group: howMuch,
    help: 'share of the channels of each group to remove: 0.5 or 50%',
  },
  /** Costs to stay at or below: a share of the dense model's (`0.5`, `'50%'`) or an absolute cost (`3e8`, `'300M'`, `'3ms'`), by measure. */
  budget: {
    schema: budget,
    flag: '--budget <cost=limit>',
    group: howMuch,
    help: 'a cost to stay below: macs, parameters or bytes as 50%, 0.5 or 300M, latency as 60% or 3ms (repeatable)',
  },
  /** The content of a plan file, to repeat an earlier selection. */
  plan: {
    schema: v.unknown(),
    flag: '--from-plan <file>',
    group: howMuch,
    help: 'repeat the selection of a plan file',
  },
  /** Ratios of single groups by glob over group, node and tensor names; the first glob that matches holds. */
  ratios: {
    schema: record(ratio),
    default: {},
    flag: '--group <glob=share>',
    group: howMuch,
    help: "ratio of single groups, by glob over group, node and tensor names: 'layer4.*=0.7' (repeatable)",
  },
  /**
   * How many channels each group loses: by a common ratio (`uniform`), by importance against exact costs (`knapsack`), or
   * likewise by what cuts do to the model's outputs, the plan being tried beside plain ones (`measured`). The latter two
   * need a budget. Default: under a budget, where the criterion's scores can be compared between groups (`obspa`) and
   * neither `scope` nor `ratios` is given, `measured` where weights are solved for in one step, else `knapsack`; in all
   * other cases `uniform`.
   */
  select: {
    schema: choice(selectMethods),
    otherwise: 'with obspa measured where weights are solved for, else knapsack; with other criteria uniform',
    flag: '--select <method>',
    group: howMuch,
    help: 'how a budget is shared out: uniform (one ratio), knapsack (importance against exact cost), or measured (knapsack, on losses that are measured at the output; the whole plan is tried beside plain ones)',
  },
  /** What solves the knapsack: our own search, or integer programmes by HiGHS, slower and the reference. */
  solver: {
    schema: choice(solvers),
    default: 'greedy',
    flag: '--solver <name>',
    group: howMuch,
    help: 'what solves the knapsack: greedy, or highs (integer programmes, slower)',
  },
  /** Where channels are ranked against each other. `local`: each group loses the same share. */
  scope: {
    schema: choice(scopes),
    default: 'local',
    flag: '--scope <scope>',
    group: first,
    help: 'rank channels within each group (local), over all (global) or over alike groups (isomorphic)',
  },
  /** Globs over node and tensor names (`*` also crosses `/`): groups with a member that matches stay whole. */
  ignore: {
    schema: list(text),
    default: [],
    flag: '--ignore <glob>',
    group: what,
    help: 'leave groups whole that touch a node or tensor (repeatable)',
  },
  /** Globs over node and tensor names: groups without a member that matches stay whole. Default: all may go. */
  only: {
    schema: list(text),
    flag: '--only <glob>',
    group: what,
    help: 'leave groups whole that touch none of these nodes and tensors (repeatable)',
  },
  /** Fewest kept positions of every weight axis that a group appears in. */
  minChannels: {
    schema: wholeNumber(1),
    default: 1,
    flag: '--min-channels <count>',
    group: what,
    help: 'channels that every group keeps at least',
  },
  /**
   * Largest share that a group may lose, in [0, 1]; one channel always stays. Default: 1 for `local` scope; 0.9 for the
   * other scopes and for `knapsack`, where one group's scores could make it collapse.
   */
  maxRatio: {
    schema: share,
    otherwise: '1 for local scope, else 0.9',
    flag: '--max-ratio <share>',
    group: what,
    help: 'largest share that any group loses',
  },
  /**
   * Kept positions of every weight axis are a multiple of this, where that can be. `auto` takes the multiple that runs
   * fastest where the model is to run, by measurement. `fast` takes it from a fixed table: 8 on CPU and CUDA and 4 on
   * WebGPU, but 1 for axes narrower than 24 and those of which less than half a step is to go. Default: `auto` under a
   * budget of latency, else `fast`.
   */
  roundTo: {
    schema: v.union(
      [v.literal('auto'), v.literal('fast'), wholeNumber(1)],
      "use a whole number from 1, 'auto' or 'fast'",
    ),
    otherwise: 'fast; auto for a latency budget',
    flag: '--round-to <count>',
    group: what,
    help: 'make kept sizes a multiple of this where they can be; auto measures which is best, fast takes 8 (4 on webgpu), and 1 for axes that are narrow or of which little goes',
  },
  /** Which factor of an attention's hidden axis `(heads head-dims)` loses channels. */
  attention: {
    schema: choice(attentionOptions),
    default: 'head-dims',
    flag: '--attention <part>',
    group: what,
    help: 'what of attention goes: heads, head-dims, both, none',
  },
  /** Also prune groups that statistics are taken over, which changes the function. */
  residualStream: {
    schema: toggle,
    default: false,
    flag: '--residual-stream',
    group: what,
    help: 'also prune what LayerNorm takes statistics over, which changes the function',
  },
} as const satisfies Options;

export type SelectionOptions = OptionsOf<typeof selectionOptions>;
