import type { Analysis } from '../analysis/analyze.js';
import type { Coverage, BlockerCost } from '../cost/coverage.js';
import type { DepthUnit } from '../depth/options.js';
import type { BlockedBranch } from '../depth/branches.js';
import type { Model } from '../onnx/model.js';
import type { PlanFile } from '../plan/file.js';
import type { Plan } from '../plan/plan.js';
import type { LayerOutcome } from '../reconstruct/layer-solver.js';
import type { Repair } from '../reconstruct/repair.js';
import type { Provider } from '../runtime/runtime.js';
import type { BudgetOutcome } from '../select/budget.js';
import type { KnapsackOutcome } from '../select/select.js';
import type { TrainingReport } from '../training/report.js';
import type { VerifyReport } from '../verify/report.js';

/** A cost before and after. */
export interface Change {
  readonly dense: number;
  readonly pruned: number;
}

export interface GroupOutcome {
  readonly id: string;
  readonly name: string;
  readonly size: number;
  readonly kept: number;
  /** Why it was left whole or lost less than asked for; undefined if neither. */
  readonly note: string | undefined;
}

/** A residual branch and what became of it. */
export interface BranchOutcome {
  readonly id: string;
  /** Name of the node that adds it. */
  readonly name: string;
  /** What the model costs less without it. */
  readonly macs: number;
  readonly parameters: number;
  /** Number of the block it goes with; undefined where it was not up for removal, or a plan said what goes. */
  readonly block: number | undefined;
  /** Score of its block, lowest first; undefined where `block` is. */
  readonly score: number | undefined;
  readonly removed: boolean;
}

export interface DepthReport {
  /** What was removed at once; undefined, as the next two, where a plan said what goes. */
  readonly unit: DepthUnit | undefined;
  /** What the scores are: `similarity` (1 − cosine) or the name of a loss (by how much it rose). */
  readonly measure: string | undefined;
  /** What they were measured on. */
  readonly data: string | undefined;
  /** In graph order. */
  readonly branches: readonly BranchOutcome[];
  /** Sums that look like the end of a branch. */
  readonly refused: readonly BlockedBranch[];
}

/** How near the layers came to the dense model's. */
export interface ReconstructionReport {
  /** What was changed. */
  readonly repair: Repair;
  /** What it was done on. */
  readonly data: string;
  /** In the order in which they were solved. */
  readonly layers: readonly LayerOutcome[];
  /** Layers that were left as they are, with the reason. */
  readonly left: readonly { readonly node: string; readonly why: string }[];
}

/** A plan that was built and run. */
export interface PlanTrial {
  /**
   * How the budget was shared out: by losses measured at the output (`scaled`), the same, but no group losing much more
   * than others (`near`), by losses of the layers (`layers`), or by one ratio for all (`uniform`).
   */
  readonly name: 'scaled' | 'near' | 'layers' | 'uniform';
  /**
   * At the outputs, on examples that no weights were solved on: of classes the Kullback-Leibler divergence in nats, of
   * other numbers the squared error as a share of the variance.
   */
  readonly error: number;
  readonly chosen: boolean;
}

/** How a plan came out that was made by measurement. */
export interface LatencyOutcome {
  readonly provider: Provider;
  /** The multiple that channels were rounded to. */
  readonly roundTo: number;
  /** Milliseconds of the dense model, median. */
  readonly dense: number;
  /** Share of the dense latency that was asked for; undefined without such a budget. */
  readonly wanted: number | undefined;
  /** Share of the dense latency, by the table of measured ops. */
  readonly predicted: number;
  /** Median of the paired shares in an interleaved run. */
  readonly measured: number;
  /** 95 % interval of `measured`. */
  readonly interval: readonly [low: number, high: number];
  /** Plans that were built and timed. */
  readonly attempts: number;
  /** Groups that were left whole as cutting them saved no time. */
  readonly undone: readonly string[];
}

/** What `prune` did, without the model: JSON-ready. */
export interface PruneReport {
  /** Undefined where no residual branch was to be removed. */
  readonly depth: DepthReport | undefined;
  /** Names of the groups whose channels were given another basis before any went. */
  readonly rotated: readonly string[];
  readonly groups: readonly GroupOutcome[];
  readonly macs: Change;
  readonly parameters: Change;
  /** Bytes of all weights. */
  readonly bytes: Change;
  /** Estimate of the bytes that activations take at their peak, at the analysed shapes. */
  readonly activations: Change;
  /** How each budget came out; empty without one. */
  readonly budgets: readonly BudgetOutcome[];
  /** How much importance a knapsack retains, and the bound of it. */
  readonly knapsack: KnapsackOutcome | undefined;
  /** Plans that were tried whole before one was chosen, the chosen one among them; empty where none was. */
  readonly trials: readonly PlanTrial[];
  /** Where latencies were measured to choose: with a budget of latency or `roundTo: 'auto'`. */
  readonly latency: LatencyOutcome | undefined;
  readonly coverage: { readonly all: Coverage; readonly withoutResidualStream: Coverage };
  /** What blocked the rest, the costliest first. */
  readonly blockers: readonly BlockerCost[];
  /** Undefined where weights were only sliced. */
  readonly reconstruction: ReconstructionReport | undefined;
  readonly verification: VerifyReport | undefined;
  /** How training with a recipe went; undefined without one. */
  readonly sparsification: TrainingReport | undefined;
  /** Undefined where weights were not trained. */
  readonly training: TrainingReport | undefined;
  readonly warnings: readonly string[];
  /** Milliseconds by phase. */
  readonly timings: Readonly<Record<string, number>>;
}

export interface PruneResult {
  readonly model: Model;
  /** Over the groups of `analysis`. */
  readonly plan: Plan;
  /** The plan in the public file format, ready for JSON; `sha256` (hexadecimal) is that of the dense model's file. */
  planFile(sha256: string): PlanFile;
  /** The analysis of the model that lost channels: the dense one, or that without the removed residual branches. */
  readonly analysis: Analysis;
  readonly report: PruneReport;
}
