import * as v from 'valibot';
import type { AxisRule } from '../axes/rule.js';
import { commonOptions } from './common.js';
import type { Options, OptionsOf } from './option.js';
import { list, made, record, text, wholeNumber } from './values.js';

const group = 'Model:';

/** What the analysis of a model has to be told where the file doesn't say it. */
export const modelOptions = {
  /** Shapes of graph inputs, overriding symbolic and static dims: `{ input: [1, 3, 224, 224] }`. Symbolic dims default to 1. */
  shapes: {
    schema: record(list(wholeNumber(1))),
    flag: '--shape <name=dims>',
    group,
    help: 'shape of a graph input, overriding symbolic and static dims: input=1,3,224,224 (repeatable)',
  },
  /** Axes of graph inputs and outputs that may shrink, as `glob:axis`: `['past_*:1']`. Default: none. */
  allowIo: {
    schema: list(text),
    flag: '--allow-io <name:axis>',
    group,
    help: "let an axis of graph inputs and outputs shrink, by glob: 'past_*:1' (repeatable)",
  },
  /** Rules for custom ops in the printed notation: `{ 'my.domain::Op': 'n c …, c -> n c …' }`. */
  axisRules: {
    schema: record(v.union([text, made<Exclude<AxisRule, string>>(() => true, 'give a rule')])),
    flag: '--axis-rule <op=rule>',
    group,
    help: "how axes pass through an op that no rule knows: 'my.domain::Op=n c …, c -> n c …' (repeatable)",
  },
} as const satisfies Options;

export const analyzeOptions = { ...commonOptions, ...modelOptions } as const;

export type AnalyzeOptions = OptionsOf<typeof analyzeOptions>;
