import type { AxisRule } from './axes/rule.js';
import type { CriterionSpec } from './criteria/resolve.js';
import type { SumsMaker } from './members/sums.js';
import type { Aggregation, Normalization } from './criteria/scheme.js';
import type { DataSource } from './data/batch.js';
import type { DepthUnit } from './depth/blocks.js';
import type { DepthScore } from './depth/choose.js';
import type { ReconstructOptions } from './reconstruct/reconstruct.js';
import type { LossSpec } from './gradients/losses.js';
import type { LatencyCache } from './latency/measure.js';
import type { Provider, Runtime } from './runtime/runtime.js';
import type { RecipeSpec } from './training/recipes/resolve.js';
import type { TrainOptions } from './training/options.js';
import type { Schedule } from './schedule/schedule.js';
import type { SelectOptions } from './select/options.js';

/** Steps of the pipeline, in order, as progress callbacks name them. */
export type Phase =
  | 'shapes'
  | 'axes'
  | 'depth'
  | 'rotation'
  | 'score'
  | 'select'
  | 'reconstruct'
  | 'rewrite'
  | 'verify'
  | 'bench'
  | 'measure'
  | 'gradients'
  | 'evaluate'
  | 'sweep'
  | 'train'
  | 'sparsify';

export interface Progress {
  readonly phase: Phase;
  readonly done: number;
  readonly total: number;
  /** What is being worked on, e.g. a tensor's name. */
  readonly detail?: string;
}

export interface CommonOptions {
  /** Aborts at the next step; the promise rejects with code `aborted`. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Default: onnxruntime-node on the CPU. */
  readonly runtime?: Runtime | undefined;
}

export interface AnalyzeOptions extends CommonOptions {
  /** Shapes of graph inputs, overriding symbolic and static dims: `{ input: [1, 3, 224, 224] }`. Symbolic dims default to 1. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Rules for custom ops in the printed notation: `{ 'my.domain::Op': 'n c …, c -> n c …' }`. */
  readonly axisRules?: Readonly<Record<string, AxisRule>> | undefined;
  /** Axes of graph inputs and outputs that may shrink, as `glob:axis`: `['past_*:1']`. Default: none. */
  readonly allowIo?: readonly string[] | undefined;
}

/** Whole residual branches go before channels do. */
export interface DepthOptions {
  /**
   * Share of the residual branches (or blocks, `depthUnit`) to remove, between 0 and 1, rounded to whole ones. Alone, or
   * with a ratio or a budget for the channels of what is left; budgets stay shares of the dense model. Needs `data`.
   */
  readonly depth?: number | undefined;
  /**
   * `loss`: how much the loss rises without a branch, measured anew after each removal: the divergence from the dense
   * model's outputs (KL), which needs no labels, or `loss`. `similarity`: how little it changes the stream, in one pass.
   * Default `loss`.
   */
  readonly depthScore?: DepthScore | undefined;
  /** Whether branches go one by one, or in `block`s: the shortest sequence of them that repeats. Default `branch`. */
  readonly depthUnit?: DepthUnit | undefined;
}

/** Which channels go: one of `ratio`, `budget` or `plan`, or none if `depth` says what goes. */
export interface SelectionOptions extends SelectOptions {
  /** A plan file's content, to repeat an earlier selection. */
  readonly plan?: unknown;
}

/** How a pruned model is trained. */
export interface DistilOptions extends TrainOptions {
  /** Examples to train on. Default: those that channels are scored by. */
  readonly data?: DataSource | undefined;
}

export type VerifyLevel = 'none' | 'shapes' | 'sample' | 'outputs' | 'full';

export interface PruneOptions extends AnalyzeOptions, SelectionOptions, DepthOptions {
  /** A name, a function or an object. Default `magnitude`. `knapsack` is `taylor` with `select: 'knapsack'`. */
  readonly criterion?: CriterionSpec | 'knapsack' | undefined;
  /** Over the members of a group. Default: the criterion's own, else `mean`. */
  readonly aggregation?: Aggregation | undefined;
  /** Within a group. Default: the criterion's own, else `mean`. */
  readonly normalization?: Normalization | undefined;
  /**
   * Calibration data: examples like those the model will see; 1,024 are plenty. Criteria with gradients use labels if
   * there are any. Held in memory for reconstruction, with some activations of each.
   */
  readonly data?: DataSource | undefined;
  /**
   * Solve for the remaining weights so that every layer comes as close as it can to the dense model's, on `data`.
   * Default false (the command line reconstructs when it is given data).
   */
  readonly reconstruct?: boolean | ReconstructOptions | undefined;
  /**
   * Where weights are solved for: gives channels that pass nothing but linear ops (linear bottlenecks, dims of attention
   * heads) the basis in which the fewest of them matter, before they are scored. Default true.
   */
  readonly rotation?: boolean | undefined;
  /**
   * What criteria with gradients differentiate, on `data`. Default: cross-entropy with labels, else with the model's own
   * decisions. Also what `depthScore: 'loss'` measures, with a default of its own.
   */
  readonly loss?: LossSpec | undefined;
  /** Remove in this many steps, scores taken anew after each. Default 1. */
  readonly steps?: number | undefined;
  /** How the share that is removed grows over the steps. Default `linear`. */
  readonly schedule?: Schedule | undefined;
  /** Where latencies are measured, for budgets of latency and `roundTo: 'auto'`. Default `cpu`. */
  readonly provider?: Provider | undefined;
  /** Threads inside an op for these measurements. Default: onnxruntime's, one a core. */
  readonly threads?: number | undefined;
  /** Latencies of ops that were measured before. Default: a file in the user's cache. */
  readonly latencyCache?: LatencyCache | undefined;
  /** Sums weights for criteria that take sums. Default: threads, one a core, for large models that lie in files. */
  readonly weightSums?: SumsMaker | undefined;
  /** Of random criteria and of the inputs of the proof. Default 0. */
  readonly seed?: number | undefined;
  /**
   * How much of the surgery is proved. Default `outputs`; with more than 1 GiB of weights `sample`, which runs a cut of
   * the graph around each group instead of the whole.
   */
  readonly verify?: VerifyLevel | undefined;
  /** Inputs to prove it on besides random ones. */
  readonly verifyData?: DataSource | undefined;
  /**
   * Train what is left towards the dense model, on `data` unless settings give other data. Default false.
   */
  readonly distil?: boolean | DistilOptions | undefined;
  /**
   * Prune while training, before channels are removed: a name, or a recipe of one's own; trained as `distil` says, on its
   * data. Default: none.
   */
  readonly recipe?: RecipeSpec | undefined;
}
