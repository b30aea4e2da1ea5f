import type { BenchSettings, EvaluateSettings, PruneSettings, VerifySettings } from '../api.js';
import type { CriterionName } from '../criteria/resolve.js';
import type { DataOptions } from '../data/options.js';
import type { AnalyzeOptions, CommonOptions } from '../options.js';
import { apiOnly, type Flags } from './flags.js';
import { budget, dataSource, jsonFile } from './file-values.js';
import { loss, lossNames } from './loss-value.js';
import {
  choice,
  commaSeparated,
  entriesOf,
  integer,
  listOf,
  number,
  oneOrMore,
  text,
  toggle,
  type Value,
} from './values.js';

/** The flags of every option of the API. A missing or a superfluous entry doesn't compile. */

const common = {
  signal: apiOnly,
  onProgress: apiOnly,
  runtime: apiOnly,
} as const satisfies Flags<CommonOptions>;

const analysis = 'Model:';
const target = 'How much goes (one of the first three):';
const choiceOfGroups = 'What may go:';
const ranking = 'What goes first:';
const proof = 'Proof:';
const dataGroup = 'Data:';
const measurement = 'Measurement:';

/** A whole number, or the word. */
const integerOrAuto: Value<number | 'auto'> = {
  fromText: (given) => (given === 'auto' ? given : integer(1).fromText(given, undefined)),
  fromJson: (value) => (value === 'auto' ? value : integer(1).fromJson(value)),
};

const ratio = number({ min: 0, below: 1 });
// prettier-ignore
const criteria = [
  'magnitude', 'l1', 'l2', 'bn-scale', 'lamp', 'fpgm', 'random', 'taylor', 'taylor-abs', 'taylor-weight', 'snip',
  'fisher', 'grasp', 'crop', 'flap', 'activation', 'obspa',
] as const;
// Names the list lacks would be unreachable from the command line.
criteria satisfies readonly CriterionName[];

const shapes = {
  flags: '--shape <name=dims>',
  group: analysis,
  help: 'shape of a graph input, overriding symbolic and static dims: input=1,3,224,224 (repeatable)',
  value: entriesOf<readonly number[]>(commaSeparated(integer(1)), 'NAME=1,3,224,224'),
};

const seed = {
  flags: '--seed <number>',
  help: 'of everything random (default: 0)',
  value: integer(0),
};

const provider = {
  flags: '--provider <name>',
  group: measurement,
  help: 'what runs it: cpu, cuda or webgpu, checked with the profiler (default: cpu)',
  value: choice('cpu', 'cuda', 'webgpu'),
};

const threads = {
  flags: '--threads <count>',
  group: measurement,
  help: 'threads inside an op (default: one a core)',
  value: integer(1),
};

export const analyzeFlags = {
  ...common,
  shapes,
  allowIo: {
    flags: '--allow-io <name:axis>',
    group: analysis,
    help: "let an axis of graph inputs and outputs shrink, by glob: 'past_*:1' (repeatable)",
    value: listOf(text),
  },
  axisRules: {
    flags: '--axis-rule <op=rule>',
    group: analysis,
    help: "how axes pass through an op that no rule knows: 'my.domain::Op=n c …, c -> n c …' (repeatable)",
    value: entriesOf(text, "'Op=n c … -> n c …'"),
  },
} as const satisfies Flags<AnalyzeOptions>;

export const pruneFlags = {
  ratio: {
    flags: '--ratio <share>',
    group: target,
    help: 'share of the channels of each group to remove, in [0, 1)',
    value: ratio,
  },
  budget: {
    flags: '--budget <cost=limit>',
    group: target,
    help: 'a cost to stay below: macs, params or bytes as 50%, 0.5 or 300M, latency as 60% or 3ms (repeatable)',
    value: budget,
  },
  plan: {
    flags: '--from-plan <file>',
    group: target,
    help: 'repeat the selection of a plan file',
    value: jsonFile,
  },
  depth: {
    flags: '--depth <share>',
    group: target,
    help: 'share of the residual branches to remove first, between 0 and 1; alone, or with --ratio or --budget for the channels that are left; needs --data',
    value: ratio,
  },
  depthScore: {
    flags: '--depth-score <name>',
    group: ranking,
    help: 'which branches go: loss (those without which it rises least, measured anew after each) or similarity (those that change the stream least, in one pass) (default: loss)',
    value: choice('similarity', 'loss'),
  },
  depthUnit: {
    flags: '--depth-unit <unit>',
    group: choiceOfGroups,
    help: 'whether residual branches go one by one (branch) or in the sequence that repeats, e.g. attention with MLP (block) (default: branch)',
    value: choice('branch', 'block'),
  },
  ratios: {
    flags: '--group <glob=share>',
    group: target,
    help: "ratio of single groups, by glob over group, node and tensor names: 'layer4.*=0.7' (repeatable)",
    value: entriesOf(ratio, "'layer4.*=0.7'"),
  },
  select: {
    flags: '--select <method>',
    group: target,
    help: 'how a budget is shared out: uniform (one ratio), knapsack (importance against exact cost), or measured (knapsack, on losses that are measured at the output; the whole plan is tried beside plain ones) (default: with obspa measured where weights are solved for, else knapsack; with other criteria uniform)',
    value: choice('uniform', 'knapsack', 'measured'),
  },
  solver: {
    flags: '--solver <name>',
    group: target,
    help: 'of the knapsack: greedy, or highs (integer programmes, slower) (default: greedy)',
    value: choice('greedy', 'highs'),
  },
  scope: {
    flags: '--scope <scope>',
    group: ranking,
    help: 'rank channels within each group (local), over all (global) or over alike groups (isomorphic) (default: local)',
    value: choice('local', 'global', 'isomorphic'),
  },
  criterion: {
    flags: '--criterion <name>',
    group: ranking,
    help: `importance of a channel: ${criteria.join(', ')}, or knapsack (taylor with --select knapsack); from taylor on measured on --data (default: obspa where the weights are reconstructed, else magnitude)`,
    value: choice(...criteria, 'knapsack'),
  },
  aggregation: {
    flags: '--aggregate <how>',
    group: ranking,
    help: 'over the members of a group: mean, sum, max, prod, first (default: by criterion, else mean)',
    value: choice('mean', 'sum', 'max', 'prod', 'first'),
  },
  normalization: {
    flags: '--normalize <how>',
    group: ranking,
    help: 'within a group: mean, sum, max, gaussian, lamp, none (default: by criterion, else mean)',
    value: choice('mean', 'sum', 'max', 'gaussian', 'lamp', 'none'),
  },
  ignore: {
    flags: '--ignore <glob>',
    group: choiceOfGroups,
    help: 'leave groups whole that touch a node or tensor (repeatable)',
    value: listOf(text),
  },
  only: {
    flags: '--only <glob>',
    group: choiceOfGroups,
    help: 'leave groups whole that touch none of these nodes and tensors (repeatable)',
    value: listOf(text),
  },
  minChannels: {
    flags: '--min-channels <count>',
    group: choiceOfGroups,
    help: 'channels that every group keeps at least (default: 1)',
    value: integer(1),
  },
  maxRatio: {
    flags: '--max-ratio <share>',
    group: choiceOfGroups,
    help: 'largest share that any group loses (default: 1 for local scope, else 0.9)',
    value: number({ min: 0, max: 1 }),
  },
  roundTo: {
    flags: '--round-to <count>',
    group: choiceOfGroups,
    help: 'make kept sizes a multiple of this where they can be; auto measures which is best (default: 1; auto for a latency budget)',
    value: integerOrAuto,
  },
  attention: {
    flags: '--attention <part>',
    group: choiceOfGroups,
    help: 'what of attention goes: heads, head-dims, both, none (default: head-dims)',
    value: choice('heads', 'head-dims', 'both', 'none'),
  },
  residualStream: {
    flags: '--residual-stream',
    group: choiceOfGroups,
    help: 'also prune what LayerNorm takes statistics over, which changes the function',
    value: toggle,
  },
  ...analyzeFlags,
  verify: {
    flags: '--verify <level>',
    group: proof,
    help: 'what is compared: shapes, outputs (and one tensor a group), full (every float value), none (default: outputs)',
    value: choice('none', 'shapes', 'sample', 'outputs', 'full'),
    negated: { flags: '--no-verify', help: 'skip the proof', value: 'none' },
  },
  verifyData: {
    flags: '--verify-data <path>',
    group: proof,
    help: 'prove it on the first batch of this data too; see Data',
    value: dataSource,
  },
  data: {
    flags: '--data <path>',
    group: dataGroup,
    help: 'examples to score and reconstruct on (at most 1024, shuffled, unless --limit and --draw say otherwise) and to evaluate both models on: .npz, .npy, IDX, CIFAR, a folder of images, random, or synthetic (data-free: noise that is shaped like pictures)',
    value: dataSource,
  },
  reconstruct: {
    flags: '--reconstruct',
    group: dataGroup,
    help: 'solve for the remaining weights on the data (default where there is data)',
    value: toggle,
    negated: { flags: '--no-reconstruct', help: 'slice weights and change nothing else', value: false },
  },
  rotation: {
    flags: '--rotation',
    group: dataGroup,
    help: 'where weights are solved for: channels that pass only linear ops are rotated before, so that fewer of them matter (default)',
    value: toggle,
    negated: { flags: '--no-rotation', help: 'remove channels as they are', value: false },
  },
  loss: {
    flags: '--loss <name[=value]>',
    group: ranking,
    help: `what gradients are taken of, and what --depth-score loss measures: ${lossNames.join(', ')} (default: cross-entropy with labels, else pseudo-labels; for depth kl, from the dense model's outputs); NAME=VALUE takes it of one value of the graph`,
    value: loss,
  },
  steps: {
    flags: '--steps <count>',
    group: ranking,
    help: 'remove in this many steps, scores taken anew after each (default: 1)',
    value: integer(1),
  },
  schedule: {
    flags: '--schedule <curve>',
    group: ranking,
    help: 'how the share grows over the steps: linear, cubic (default: linear)',
    value: choice('linear', 'cubic'),
  },
  // The command declares these two for its own measurements, and passes them on.
  provider: apiOnly,
  threads: apiOnly,
  latencyCache: apiOnly,
  weightSums: apiOnly,
  distil: apiOnly,
  recipe: apiOnly,
  seed,
} as const satisfies Flags<PruneSettings>;

export const verifyFlags = {
  ...analyzeFlags,
  plan: { flags: '--plan <file>', help: 'the plan that was written with the pruned model', value: jsonFile },
  level: {
    flags: '--level <level>',
    help: 'what is compared: shapes, outputs, full (default: full)',
    value: choice('shapes', 'sample', 'outputs', 'full'),
  },
  data: {
    flags: '--data <path>',
    group: dataGroup,
    help: 'prove it on the first batch of this data too: .npz, .npy, IDX, CIFAR, a folder of images, or random',
    value: dataSource,
  },
  seed,
} as const satisfies Flags<VerifySettings>;

export const measureFlags = { provider, threads } as const;

export const benchFlags = {
  ...common,
  shapes,
  provider,
  // The command takes several of each.
  threads: apiOnly,
  batch: apiOnly,
  warmup: {
    flags: '--warmup <runs>',
    group: measurement,
    help: 'unmeasured runs of each model (default: 5)',
    value: integer(0),
  },
  runs: {
    flags: '--runs <rounds>',
    group: measurement,
    help: 'measured runs of each model (default: as many as --min-seconds take, at least 10)',
    value: integer(1),
  },
  minSeconds: {
    flags: '--min-seconds <seconds>',
    group: measurement,
    help: 'how long to measure at least (default: 3)',
    value: number({ min: 0 }),
  },
  halfWidth: {
    flags: '--half-width <share>',
    group: measurement,
    help: 'go on until intervals are this narrow to either side, e.g. 0.02',
    value: number({ min: 0, max: 1 }),
  },
  maxSeconds: {
    flags: '--max-seconds <seconds>',
    group: measurement,
    help: 'how long to go on with --half-width (default: 60)',
    value: number({ min: 0 }),
  },
  profile: {
    flags: '--profile',
    group: measurement,
    help: 'also show the time by kind of op: which got faster, and which did not',
    value: toggle,
  },
  seed: { ...seed, value: integer(0) },
} as const satisfies Flags<BenchSettings>;

export const evaluateFlags = {
  ...common,
  metric: apiOnly,
  data: {
    flags: '--data <path>',
    group: dataGroup,
    help: '.npz, .npy, IDX, CIFAR, a folder of images, or random',
    value: dataSource,
  },
  reference: {
    flags: '--reference <model>',
    help: 'compare outputs with those of this model, e.g. the dense one',
    value: text,
  },
  output: {
    flags: '--scores <output>',
    help: 'output with the class scores (default: the first of shape [batch, classes])',
    value: text,
  },
  provider,
  threads,
} as const satisfies Flags<EvaluateSettings>;

/** How data is read; `path`, `shapes` and `seed` come from the command's own flags. */
export const dataFlags = {
  path: apiOnly,
  shapes: apiOnly,
  seed: apiOnly,
  labels: {
    flags: '--labels <file>',
    group: dataGroup,
    help: 'one class index an example: .npy, IDX or text (default: in or beside the data)',
    value: text,
  },
  format: {
    flags: '--format <name>',
    group: dataGroup,
    help: 'npz, npy, idx, cifar10, cifar100, images (default: by content)',
    value: choice('npz', 'npy', 'idx', 'cifar10', 'cifar100', 'images'),
  },
  input: {
    flags: '--input <name>',
    group: dataGroup,
    help: 'graph input that single arrays and images feed (default: the only one)',
    value: text,
  },
  scale: {
    flags: '--scale <number>',
    group: dataGroup,
    help: 'divides before --mean and --std (default: 255 for 8-bit images, else 1)',
    value: number(),
  },
  mean: {
    flags: '--mean <numbers>',
    group: dataGroup,
    help: 'subtracted: one number, or one a channel: 0.485,0.456,0.406 (default: 0)',
    value: oneOrMore(number()),
  },
  std: {
    flags: '--std <numbers>',
    group: dataGroup,
    help: 'divides last: one number, or one a channel (default: 1)',
    value: oneOrMore(number()),
  },
  limit: {
    flags: '--limit <count>',
    group: dataGroup,
    help: 'examples at most (default: all)',
    value: integer(1),
  },
  draw: {
    flags: '--draw <order>',
    group: dataGroup,
    help: 'which examples: first, shuffle, balanced (default: first)',
    value: choice('first', 'shuffle', 'balanced'),
  },
  batch: {
    flags: '--batch <size>',
    group: dataGroup,
    help: 'examples a batch (default: at most 64)',
    value: integer(1),
  },
  resize: {
    flags: '--resize <pixels>',
    group: dataGroup,
    help: "images: the shorter side before cropping (default: from the model's size)",
    value: integer(1),
  },
  crop: {
    flags: '--crop <pixels>',
    group: dataGroup,
    help: "images: centre crop, one number or height,width (default: the model's)",
    value: oneOrMore(integer(1)) as Value<number | readonly [number, number]>,
  },
  layout: {
    flags: '--layout <order>',
    group: dataGroup,
    help: 'images: nchw or nhwc (default: where the input has 1 or 3)',
    value: choice('nchw', 'nhwc'),
  },
  channelOrder: {
    flags: '--channel-order <order>',
    group: dataGroup,
    help: 'images: rgb or bgr (default: rgb)',
    value: choice('rgb', 'bgr'),
  },
  classes: {
    flags: '--classes <names>',
    group: dataGroup,
    help: 'images: sub-folders in label order (default: all, sorted)',
    value: commaSeparated(text),
  },
  integersBelow: {
    flags: '--integers-below <bound>',
    group: dataGroup,
    help: 'random data: bound of integers (default: 2)',
    value: integer(1),
  },
  unpackLimit: {
    flags: '--unpack-limit <bytes>',
    group: dataGroup,
    help: 'bytes that a packed file may unpack to (default: 4 GiB)',
    value: integer(1),
  },
} as const satisfies Flags<DataOptions>;
