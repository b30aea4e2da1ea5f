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
export type { BranchSummary, GroupSummary, Inspection } from './analysis/inspect.js';

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
  BranchOutcome,
  Change,
  DepthReport,
  GroupOutcome,
  LatencyOutcome,
  PlanTrial,
  PruneReport,
  PruneResult,
  ReconstructionReport,
} from './pipeline/result.js';
export type { OutputProof, ProofFailure, ProofLevel, SkippedValue, VerifyReport } from './verify/report.js';
export type { Analysis } from './analysis/analyze.js';

export { defineCriterion } from './criteria/criterion.js';
export type {
  Criterion,
  CriterionContext,
  CriterionInputs,
  CriterionResult,
  Need,
} from './criteria/criterion.js';
export { criteria } from './criteria/resolve.js';
export type { CriterionName } from './criteria/names.js';
export type { CriterionFunction, CriterionSpec } from './criteria/resolve.js';
export type { Aggregation, Normalization } from './criteria/scheme.js';

export { computationalGraph, couplingGraph, toDot, toJson } from './groups/graphs.js';
export type { Grouping, Member, PruningGroup } from './groups/group.js';
export type { AxisRule, OpContext } from './axes/rule.js';
export type { Coverage, BlockerCost as Hindrance } from './cost/coverage.js';
export type { PlanFile, PlannedBranch, PlannedFactor, PlannedTensor } from './plan/file.js';

export { losses } from './gradients/losses.js';
export type { LossName } from './gradients/loss-names.js';
export type {
  EmittedLoss,
  Loss,
  LossContext,
  LossFeed,
  LossOutput,
  LossSettings,
  LossSpec,
} from './gradients/losses.js';
export type { GradientResult } from './gradients/gradients.js';
export type { Schedule } from './schedule/schedule.js';

export { TrainingDiverged } from './training/train.js';
export type { Trained } from './training/train.js';
export type { DistilOptions, TrainOptions } from './options/training.js';
export type { PassOutcome, TrainingReport } from './training/report.js';
export type { DistilLossName, DistilLossSettings, DistilLossSpec } from './training/losses/resolve.js';
export type { TrainingLoss } from './training/losses/loss.js';
export type { AugmentationName, AugmentationSpec, BatchChange } from './training/augment/augmentation.js';
export type { CheckpointStore } from './training/checkpoint.js';
export { recipes } from './training/recipes/resolve.js';
export type { RecipeName, RecipeSpec } from './training/recipes/resolve.js';
export type {
  ChannelScores,
  Chooser,
  Keeps,
  Moment,
  Recipe,
  RecipeMaker,
  RecipeSetup,
} from './training/recipes/recipe.js';
export type { Optimizer, StepSettings } from './training/optimizers/optimizer.js';

export { dataFromArrays, dataFromBatches } from './data/batches.js';
export { modelInputs } from './data/inputs.js';
export type { Batch, BatchTensor, DataSource, ModelInput } from './data/batch.js';
export type {
  BatchOptions,
  DataOptions,
  DrawOptions,
  ImageOptions,
  NormalizationOptions,
} from './data/options.js';

export type { BenchResult, Comparison, ModelTiming } from './bench/result.js';
export type { EvaluateResult } from './evaluate/evaluate.js';
export type { Agreement, Flip, OutputDifference } from './evaluate/difference.js';
export type { Robustness, RobustnessRow } from './evaluate/robustness.js';
export type { Metric } from './evaluate/metric.js';

export { decodeModel, encodeModel } from './onnx/codec.js';
export type {
  Attribute,
  AttributeBase,
  AttributeValue,
  Dimension,
  FunctionBody,
  Graph,
  Model,
  Node,
  OpsetImport,
  QuantizationAnnotation,
  ValueInfo,
  ValueType,
} from './onnx/model.js';
export type { Tensor, TensorData } from './onnx/tensor.js';
export { nodeRuntime } from './runtime/node.js';
export type { ProfiledNode, Provider, Runtime, SessionOptions } from './runtime/runtime.js';

/** Types that the ones above are made of. */
export type { AtomOrigin, Axis, Blocker, Factor, Product, Sum } from './axes/axis.js';
export type { AxisCoupling, ParameterUse } from './axes/couple.js';
export type { Permutation } from './axes/permutation.js';
export type {
  AttentionLetters,
  MultiplyAdds,
  Relation,
  Role,
  SizeAttribute,
  StatedRelation,
} from './axes/relation.js';
export type { RoleUse } from './axes/roles.js';
export type { AxisSystem } from './axes/system.js';
export type { CanonicalForm } from './canonical/canonicalize.js';
export type { CostModel, NodeCost, SizeOf } from './cost/cost.js';
export type { Monomial } from './cost/polynomial.js';
export type { LooseBatch, LooseTensor } from './data/batches.js';
export type { CifarFormat } from './data/cifar.js';
export type { Corruption } from './data/corruption.js';
export type { ElementType, Elements } from './data/elements.js';
export type { BlockedBranch } from './depth/branches.js';
export type { DepthUnit } from './depth/options.js';
export type { Accuracy } from './evaluate/classification.js';
export type { Outputs } from './evaluate/outputs.js';
export type { Emitter } from './gradients/emitter.js';
export type { LabelledGraph, VertexLabel } from './groups/graphs.js';
export type {
  Measurements,
  MemberActivation,
  MemberCurvature,
  MemberDrift,
  MemberHessian,
  MemberSensitivity,
} from './members/measured.js';
export type { LeadingSums, Power, SumsMaker } from './members/sums.js';
export type { MemberWeights } from './members/weights.js';
export type { ByteSource, FilePlace } from './onnx/bytes.js';
export type { DecodeOptions, EncodeOptions } from './onnx/codec.js';
export type { DataType, DataTypeName } from './onnx/data-type.js';
export type { ExternalEntries, ExternalRange, ExternalReader } from './onnx/external.js';
export type { Message, StringEntry, UnknownFields } from './onnx/message.js';
export type { FloatType, Floats } from './onnx/values.js';
export type { ConstantSource } from './ops/constants.js';
export type { Option, OptionGroup, Options, OptionsOf } from './options/option.js';
export type { NodeKey } from './plan/node-keys.js';
export type { Plan } from './plan/plan.js';
export type { RandomGenerator } from './random/random.js';
export type { LayerOutcome } from './reconstruct/layer-solver.js';
export type { Repair } from './reconstruct/repair.js';
export type { BudgetMeasure, BudgetOutcome } from './select/budget.js';
export type { KnapsackSolver } from './select/options.js';
export type { KnapsackOutcome } from './select/select.js';
export type { CutNode } from './shapes/inference.js';
export type { Dims } from './shapes/session-model.js';
export type { Shapes } from './shapes/shapes.js';
export type { Picture, PictureChange } from './training/augment/picture.js';
export type { ChannelAxis, TrainedGroup } from './training/recipes/channels.js';
export type { Values } from './training/values.js';

/** Types that the ones above are made of. */
export type { GraphBuilder } from './ops/build.js';
export type { ShortAttributes } from './ops/nodes.js';
