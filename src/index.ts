/** The public API. Importing it does no work; onnxruntime is loaded on the first call that needs it. */
export {
  analyze,
  bench,
  evaluate,
  gradients,
  loadModel,
  openData,
  prune,
  requireProvider,
  robustness,
  saveModel,
  train,
  verify,
} from './api.js';
export { inspect } from './analysis/inspect.js';
export type { GroupSummary, Inspection } from './analysis/inspect.js';

export type { ExternalDataMode, WriteModelOptions, WrittenModel } from './files/model-file.js';

export { PruneError } from './errors.js';
export type { PruneErrorCode } from './errors.js';
export type { AnalyzeOptions } from './options/analyze.js';
export type { BenchOptions } from './options/bench.js';
export type { CommonOptions, Phase, Progress } from './options/common.js';
export type { Data } from './options/data.js';
export type { EvaluateOptions, RobustnessOptions } from './options/evaluate.js';
export type { GradientOptions } from './options/gradients.js';
export type { ModelSource } from './options/model-source.js';
export type { VerifyLevel } from './options/proof.js';
export type { PruneOptions } from './options/prune.js';
export type { VerifyOptions } from './options/verify.js';
export type {
  Change,
  GroupOutcome,
  PruneReport,
  PruneResult,
  ReconstructionReport,
} from './pipeline/result.js';
export type { ProofFailure, ProofLevel, VerifyReport } from './verify/report.js';
export type { Analysis } from './analysis/analyze.js';

export { defineCriterion } from './criteria/criterion.js';
export type { Criterion, CriterionContext } from './criteria/criterion.js';
export { criteria } from './criteria/resolve.js';
export type { CriterionName } from './criteria/names.js';
export type { CriterionFunction, CriterionSpec } from './criteria/resolve.js';
export type { Aggregation, Normalization } from './criteria/scheme.js';

export { computationalGraph, couplingGraph, toDot, toJson } from './groups/graphs.js';
export type { Grouping, Member, PruningGroup } from './groups/group.js';
export type { AxisRule } from './axes/rule.js';
export type { Coverage, BlockerCost as Hindrance } from './cost/coverage.js';
export type { PlanFile } from './plan/file.js';

export { losses } from './gradients/losses.js';
export type { LossName } from './gradients/loss-names.js';
export type { Loss, LossSettings, LossSpec } from './gradients/losses.js';
export type { GradientResult } from './gradients/gradients.js';
export type { Schedule } from './schedule/schedule.js';

export { TrainingDiverged } from './training/train.js';
export type { Trained } from './training/train.js';
export type { DistilOptions, TrainOptions } from './options/training.js';
export type { TrainingReport } from './training/report.js';
export type { DistilLossSpec } from './training/losses/resolve.js';
export type { TrainingLoss } from './training/losses/loss.js';
export type { AugmentationSpec, BatchChange } from './training/augment/augmentation.js';
export type { CheckpointStore } from './training/checkpoint.js';
export { recipes } from './training/recipes/resolve.js';
export type { RecipeName, RecipeSpec } from './training/recipes/resolve.js';
export type { Moment, Recipe, RecipeMaker, RecipeSetup } from './training/recipes/recipe.js';
export type { Optimizer } from './training/optimizers/optimizer.js';

export { dataFromArrays, dataFromBatches } from './data/batches.js';
export { modelInputs } from './data/inputs.js';
export type { Batch, DataSource, ModelInput } from './data/batch.js';
export type { DataOptions } from './data/options.js';

export type { BenchResult, Comparison, ModelTiming } from './bench/result.js';
export type { EvaluateResult } from './evaluate/evaluate.js';
export type { Flip } from './evaluate/difference.js';
export type { Robustness, RobustnessRow } from './evaluate/robustness.js';
export type { Metric } from './evaluate/metric.js';

export { decodeModel, encodeModel } from './onnx/codec.js';
export type { Attribute, Graph, Model, Node, ValueInfo } from './onnx/model.js';
export type { Tensor } from './onnx/tensor.js';
export { nodeRuntime } from './runtime/node.js';
export type { Provider, Runtime } from './runtime/runtime.js';
