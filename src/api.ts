import type { Analysis } from './analysis/analyze.js';
import type { BenchResult } from './bench/result.js';
import type { DataSource } from './data/batch.js';
import type { EvaluateResult } from './evaluate/evaluate.js';
import type { Robustness } from './evaluate/robustness.js';
import type { WriteModelOptions, WrittenModel } from './files/model-file.js';
import type { GradientResult } from './gradients/gradients.js';
import type { SumsMaker } from './members/sums.js';
import type { Model } from './onnx/model.js';
import { analyzeOptions, type AnalyzeOptions } from './options/analyze.js';
import { benchOptions, type BenchOptions } from './options/bench.js';
import type { CommonOptions } from './options/common.js';
import type { Data } from './options/data.js';
import {
  evaluateOptions,
  robustnessOptions,
  type EvaluateOptions,
  type RobustnessOptions,
} from './options/evaluate.js';
import { gradientOptions, type GradientOptions } from './options/gradients.js';
import type { ModelSource } from './options/model-source.js';
import type { PruneOptions } from './options/prune.js';
import type { ResolvedOptions } from './options/resolve.js';
import { trainOptions, type DistilOptions, type TrainOptions } from './options/training.js';
import { validate, withDefaults } from './options/validate.js';
import { verifyOptions, type VerifyOptions } from './options/verify.js';
import type { PruneResult } from './pipeline/result.js';
import type { Provider, Runtime } from './runtime/runtime.js';
import type { CheckpointStore } from './training/checkpoint.js';
import type { Trained } from './training/train.js';
import type { VerifyReport } from './verify/report.js';

/**
 * The engine with Node's adapters plugged in: files, and onnxruntime-node as the default runtime. Every function
 * loads what it needs when it is called.
 */

/**
 * Reads a model. Weights stay views on the file's bytes; external data is read when it is asked for, and only from
 * the model's folder (for bytes: not at all). Its structure is checked before onnxruntime sees it; nodes that don't stand
 * in topological order are sorted.
 * @throws PruneError `invalid-file`, `unsafe-path`
 */
export async function loadModel(source: string | URL | Uint8Array): Promise<Model> {
  const [{ assertValid }, { inOrder }] = await Promise.all([
    import('./onnx/validate.js'),
    import('./onnx/order.js'),
  ]);
  const model = inOrder(await decode(source));
  assertValid(model);
  return model;
}

async function decode(source: string | URL | Uint8Array): Promise<Model> {
  if (source instanceof Uint8Array) {
    const { decodeModel } = await import('./onnx/codec.js');
    return decodeModel(source);
  }
  const [{ readModel }, { fileURLToPath }] = await Promise.all([
    import('./files/model-file.js'),
    import('node:url'),
  ]);
  return readModel(source instanceof URL ? fileURLToPath(source) : source);
}

/**
 * Writes a model atomically: the path holds the whole new file or what it held before. The same model gives the same
 * bytes; external data stays external, in one new file beside it.
 * @throws PruneError `write`
 */
export async function saveModel(
  model: Model,
  path: string | URL,
  options: WriteModelOptions = {},
): Promise<WrittenModel> {
  const [{ writeModel }, { fileURLToPath }] = await Promise.all([
    import('./files/model-file.js'),
    import('node:url'),
  ]);
  return writeModel(model, path instanceof URL ? fileURLToPath(path) : path, options);
}

/**
 * Shapes, axes, groups and costs: everything that is known before anything is removed. `inspect` summarises it.
 * @throws PruneError `invalid-option`, `runtime`, and what `loadModel` throws.
 */
export async function analyze(model: ModelSource, given: AnalyzeOptions = {}): Promise<Analysis> {
  const options = validate(analyzeOptions, given);
  const [loaded, engine, runtime] = await Promise.all([
    toModel(model),
    import('./analysis/analyze.js'),
    runtimeOf(options),
  ]);
  return engine.analyze(loaded, { ...options, runtime });
}

/**
 * Removes channels, and proves that the pruned model computes what the dense one does with those channels masked.
 * @throws PruneError `nothing-to-prune`, `budget`, `verification`, and what `analyze` throws.
 */
export async function prune(model: ModelSource, given: PruneOptions): Promise<PruneResult> {
  const { needsMeasurement, resolveOptions } = await import('./options/resolve.js');
  const options = resolveOptions(given);
  const [loaded, { prunePipeline }, runtime] = await Promise.all([
    toModel(model),
    import('./pipeline/prune.js'),
    runtimeOf(options),
  ]);
  const open = async (data: Data | undefined): Promise<DataSource | undefined> =>
    data === undefined ? undefined : openData(data, loaded);
  const [data, verifyData] = [await open(options.data), await open(options.verifyData)];
  const file =
    needsMeasurement(options) && !options.latencyCache ? await latencyFile(runtime, options) : undefined;
  const latencyCache = options.latencyCache ?? file;
  try {
    const weightSums = options.weightSums ?? sumsInThreads;
    const distil =
      typeof options.distil === 'object'
        ? { ...options.distil, ...(await trainingOf(options.distil)), data: await open(options.distil.data) }
        : options.distil;
    return await prunePipeline(loaded, { ...options, runtime, data, verifyData, latencyCache, weightSums, distil }); // prettier-ignore
  } finally {
    await file?.flush();
  }
}

const sumsInThreads: SumsMaker = async (...given) => {
  const engine = await import('./threads/weight-sums.js');
  return engine.sumsInThreads(...given);
};

async function latencyFile({ name, version }: Runtime, { provider, threads }: ResolvedOptions) {
  const [{ openLatencyFile }, { gpuNames }] = await Promise.all([
    import('./files/latency-cache.js'),
    import('./files/gpu-name.js'),
  ]);
  const gpu = provider === 'cuda' ? await gpuNames() : undefined;
  return openLatencyFile({ provider, runtime: `${name} ${version}`, threads, gpu });
}

/**
 * Trains a pruned model towards its dense original, or towards labels; nothing but the two files and data is needed. What
 * it hands out is never worse than it was on the examples that are held out.
 * @throws TrainingDiverged with the last good state, and what `loadModel` throws
 */
export async function train(dense: ModelSource, pruned: ModelSource, given: TrainOptions): Promise<Trained> {
  const { data: _, plan, ...options } = validate(trainOptions, given);
  const { shapes, axisRules, allowIo, signal, onProgress } = options;
  const analyzing = { shapes, axisRules, allowIo, runtime: options.runtime, signal, onProgress };
  const [whole, student, { trainModel }, { slicingOf }] = await Promise.all([
    analyze(dense, analyzing),
    toModel(pruned),
    import('./pipeline/train.js'),
    import('./pipeline/train-plan.js'),
  ]);
  return trainModel(whole, student, {
    ...options,
    ...(await trainingOf(options)),
    runtime: whole.runtime,
    data: await openData(given.data, whole.model),
    slicing: plan === undefined ? undefined : await slicingOf(whole, plan, analyzing),
  });
}

async function trainingOf({
  checkpoint,
}: DistilOptions): Promise<{ readonly checkpoint: CheckpointStore | undefined }> {
  if (typeof checkpoint !== 'string') return { checkpoint };
  const { CheckpointFolder } = await import('./files/checkpoint-folder.js');
  return { checkpoint: new CheckpointFolder(checkpoint) };
}

/**
 * Proves again that a pruned model computes what the dense one does with the channels of a plan masked. A failed proof
 * is a report with `passed: false`. Where the plan says that weights were changed, the structure is proved, with weights
 * re-drawn alike in both models, and not their values: those were when it was pruned.
 * @throws PruneError `invalid-option` for a plan of another model, `runtime`, and what `loadModel` throws.
 */
export async function verify(
  dense: ModelSource,
  pruned: ModelSource,
  given: VerifyOptions,
): Promise<VerifyReport> {
  const { plan, data, ...options } = withDefaults(verifyOptions, validate(verifyOptions, given));
  const { shapes, axisRules, allowIo, runtime, signal, onProgress } = options;
  const [whole, candidate, { provePlan }] = await Promise.all([
    analyze(dense, { shapes, axisRules, allowIo, runtime, signal, onProgress }),
    toModel(pruned),
    import('./pipeline/prove-plan.js'),
  ]);
  const source = data === undefined ? undefined : await openData(data, whole.model);
  return provePlan(whole, candidate, plan, { ...options, data: source });
}

/**
 * Times models against each other, interleaved, on random inputs; the first is the baseline. Ops that onnxruntime doesn't
 * know are left out, and named in the result.
 * @throws PruneError `runtime` if the provider isn't there or didn't run the compute nodes.
 */
export async function bench(
  models: readonly (ModelSource | { readonly name: string; readonly model: ModelSource })[],
  given: BenchOptions = {},
): Promise<BenchResult> {
  const options = withDefaults(benchOptions, validate(benchOptions, given));
  const [engine, { knownPart }, runtime] = await Promise.all([
    import('./bench/bench.js'),
    import('./shapes/known-part.js'),
    runtimeOf(options),
  ]);
  const { onProgress, signal, ...rest } = options;
  const contestants = await Promise.all(
    models.map(async (entry, index) => {
      const { name, model } = isNamed(entry) ? entry : { name: nameOf(entry, index), model: entry };
      return {
        name,
        ...(await knownPart(await toModel(model), runtime, { shapes: options.shapes, signal })),
      };
    }),
  );
  const leftOut = [...new Set(contestants.flatMap((contestant) => contestant.leftOut))];
  const result = await engine.bench(contestants, {
    ...rest,
    runtime,
    memory: () => process.memoryUsage.rss(),
    ...(signal && { signal }),
    ...(onProgress && {
      onProgress: ({ share }: { readonly share: number }) =>
        onProgress({ phase: 'bench', done: Math.round(100 * share), total: 100 }),
    }),
  });
  return leftOut.length > 0 ? { ...result, leftOut } : result;
}

/**
 * The gradient of a loss over data, by any float32 values of the model: onnxruntime computes it from a backward graph
 * that is built for it. By default by all float initializers, of the cross-entropy with the data's labels.
 * @throws PruneError `unsupported` listing the ops that have no gradient, before anything runs; `invalid-data`.
 */
export async function gradients(model: ModelSource, given: GradientOptions): Promise<GradientResult> {
  const options = validate(gradientOptions, given);
  const { onProgress, loss, wrt, threads, signal } = options;
  const [loaded, engine, runtime] = await Promise.all([
    toModel(model),
    import('./gradients/gradients.js'),
    runtimeOf(options),
  ]);
  const source = await openData(given.data, loaded);
  const onBatch = (done: number): void =>
    onProgress?.({ phase: 'gradients', done, total: source.count ?? done, detail: 'examples' });
  return engine.gradients(loaded, { ...{ loss, wrt, threads, signal, runtime, onBatch }, data: source });
}

/**
 * Runs a model over data: top-1 against labels, output differences against a reference model, any metric.
 * @throws PruneError `invalid-data`, `runtime`, and what `loadModel` throws.
 */
export async function evaluate(model: ModelSource, given: EvaluateOptions): Promise<EvaluateResult> {
  const options = validate(evaluateOptions, given);
  const { reference, onProgress, ...rest } = options;
  const [loaded, engine, runtime] = await Promise.all([
    toModel(model),
    import('./evaluate/evaluate.js'),
    runtimeOf(options),
  ]);
  return engine.evaluate(loaded, {
    ...rest,
    runtime,
    data: await openData(given.data, loaded),
    reference: reference === undefined ? undefined : await toModel(reference),
    onProgress:
      onProgress &&
      (({ done, total = done }) => onProgress({ phase: 'evaluate', done, total, detail: 'examples' })),
  });
}

/**
 * Makes sure that a provider is there before anything long is begun.
 * @throws PruneError `runtime` naming what to install
 */
export async function requireProvider(provider: Provider, options: CommonOptions = {}): Promise<void> {
  const [{ probeProvider }, runtime] = await Promise.all([import('./runtime/probe.js'), runtimeOf(options)]);
  await probeProvider(runtime, provider);
}

/**
 * Top-1 of a dense and a pruned model on the first 1,000 labelled images, clean and with noise, blur and less contrast.
 * Undefined for data without labels or images, and for models without class scores.
 * @throws PruneError `invalid-data`, `runtime`, and what `loadModel` throws.
 */
export async function robustness(
  dense: ModelSource,
  pruned: ModelSource,
  given: RobustnessOptions,
): Promise<Robustness | undefined> {
  const options = validate(robustnessOptions, given);
  const { onProgress, ...rest } = options;
  const [before, after, engine, runtime] = await Promise.all([
    toModel(dense),
    toModel(pruned),
    import('./evaluate/robustness.js'),
    runtimeOf(options),
  ]);
  return engine.robustness(before, after, {
    ...rest,
    runtime,
    data: await openData(given.data, before),
    onProgress:
      onProgress &&
      (({ done }) => onProgress({ phase: 'evaluate', done, total: done, detail: 'corrupted examples' })),
  });
}

async function toModel(source: ModelSource): Promise<Model> {
  return typeof source === 'string' || source instanceof URL || source instanceof Uint8Array
    ? loadModel(source)
    : source;
}

/**
 * Opens data for a model: a file, a folder of images, or `random` or `synthetic` noise; ready batches pass as they are.
 * @throws PruneError `invalid-data`, `invalid-option`
 */
export async function openData(data: Data, model: Model): Promise<DataSource> {
  if (typeof data !== 'string' && Symbol.asyncIterator in data) {
    const { onlyOnce } = await import('./data/batches.js');
    return onlyOnce(data);
  }
  const [engine, { modelInputs }] = await Promise.all([
    import('./data/files.js'),
    import('./data/inputs.js'),
  ]);
  return engine.openData(data, modelInputs(model));
}

async function runtimeOf(options: CommonOptions): Promise<Runtime> {
  if (options.runtime) return options.runtime;
  const { nodeRuntime } = await import('./runtime/node.js');
  return nodeRuntime();
}

function isNamed(
  entry: ModelSource | { readonly name: string; readonly model: ModelSource },
): entry is { readonly name: string; readonly model: ModelSource } {
  return typeof entry === 'object' && 'model' in entry;
}

function nameOf(source: ModelSource, index: number): string {
  if (typeof source === 'string' || source instanceof URL) return String(source).split(/[\\/]/).at(-1)!;
  return `model ${index + 1}`;
}
