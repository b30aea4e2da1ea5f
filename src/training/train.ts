import type { AxisCoupling } from '../axes/couple.js';
import type { BatchTensor, DataSource } from '../data/batch.js';
import { fixedBatch, modelInputs } from '../data/inputs.js';
import { PruneError } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import type { Grouping } from '../groups/group.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { augmentBy } from './augment/augmentation.js';
import { encodeCheckpoint, identityOf, restoreCheckpoint } from './checkpoint.js';
import { HeldOut } from './held-out.js';
import { DivergedError, TrainingLoop } from './loop.js';
import type { InnerValue } from './inner.js';
import { teacherKey, type WeightedLoss } from './losses/loss.js';
import { readsBlocks, resolveLosses, type DistilLossSpec } from './losses/resolve.js';
import { StatisticsCollector, type ValueStatistics } from './losses/statistics.js';
import { sumLosses } from './losses/sum.js';
import { resolveOptimizer } from './optimizers/resolve.js';
import { defaultRank, defaultTeacherMemory, loopSettings, type TrainOptions } from './options.js';
import { lowRankParameters } from './low-rank.js';
import { directParameters } from './parameters.js';
import { partData, type TrainingData } from './passes.js';
import type { TrainingProgress, TrainingReport } from './report.js';
import { trainedGroups } from './recipes/channels.js';
import type { Chooser, Keeps, RecipeMaker } from './recipes/recipe.js';
import { firstState, type TrainingState } from './state.js';
import { StepRunner } from './step.js';
import { studentOf, valuesOf, withValues } from './student.js';
import { Teacher } from './teacher.js';

export interface TrainRequest extends TrainOptions {
  /** The dense model. */
  readonly teacher: Model;
  /** The model to train, with its axes, from which its parameters are told. */
  readonly student: AxisCoupling;
  /** Values inside both models that can be compared, for the losses `inner` and `flow`. Default: none. */
  readonly inner?: readonly InnerValue[] | undefined;
  readonly data: DataSource;
  /** Prunes the student while it trains. Default: none. */
  readonly sparse?: SparseRequest | undefined;
  readonly runtime: Runtime;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TrainingProgress) => void) | undefined;
}

/** How a model is pruned while it trains. */
export interface SparseRequest {
  readonly recipe: RecipeMaker;
  /** Groups of the student, whose axes are those of the request. */
  readonly grouping: Grouping;
  readonly chosen: Keeps;
  readonly choose: Chooser;
}

export interface Trained {
  /** The student with the best weights that were met: on the held-out examples never worse than it was. */
  readonly model: Model;
  readonly report: TrainingReport;
  /** Which channels stay, where a recipe says so. */
  readonly keeps?: Keeps | undefined;
}

/** Training that ended with a loss that is no number, and what was best before. */
export class TrainingDiverged extends PruneError {
  constructor(
    message: string,
    readonly trained: Trained,
    cause: unknown,
  ) {
    super('diverged', message, { cause });
  }
}

/**
 * Trains a model towards a dense one (or towards labels).
 * @throws TrainingDiverged with the last good state; PruneError `invalid-option`, `invalid-data`, `unsupported` for ops
 *   without a gradient or models without weights to train, `aborted`
 */
export async function trainStudent(request: TrainRequest): Promise<Trained> {
  const { student: axes, teacher: dense, runtime, threads, provider, signal, seed = 0, sparse } = request;
  const optimizer = resolveOptimizer(request.optimizer);
  const settings = loopSettings(request, optimizer.name);
  if (sparse) checkSparse(request);
  const student = studentOf(axes, request);
  const recipe = sparse?.recipe({ ...sparse, groups: trainedGroups(sparse.grouping, student.nameOf) });
  const inputs = modelInputs(student.model);
  const augment = augmentBy(request.augment ?? [], inputs, seed);
  const data = await partData(request.data, {
    ...{ seed, batch: request.trainBatch, fixedBatch: fixedBatch(inputs) },
    ...{ heldOut: request.heldOut, limit: request.trainLimit },
  });
  const losses = await lossesOf(request, data);
  checkLabels(losses, request.data);
  const loss = sumLosses(losses);
  const common = { runtime, threads, provider, signal };
  const names = [...new Set(losses.flatMap((part) => part.loss.teacher))];
  const memory = request.teacherMemory ?? defaultTeacherMemory;
  const teacher = new Teacher({ ...common, ...{ model: dense, names, memory, count: data.count, kept: keptOf(request) } }); // prettier-ignore
  const runner = new StepRunner({ ...common, student, loss });
  const heldOut = new HeldOut({ ...common, student, loss, data, teacher });
  const values = valuesOf(student);
  const parameters =
    request.trainable === 'low-rank'
      ? lowRankParameters(student.trainable, values, { rank: request.rank ?? defaultRank, seed })
      : directParameters(student.trainable, values);
  const state = firstState(values, parameters.leaves, optimizer);
  const finish = (ended: TrainingReport['ended'], message?: string): Trained => ({
    model: withValues(student.model, state.best),
    report: {
      loss: loss.name,
      data: request.data.description,
      ...{ examples: data.trainCount, heldOut: data.heldOutCount },
      tensors: student.trainable.length,
      parameters: [...parameters.leaves.values()].reduce((sum, { length }) => sum + length, 0),
      steps: state.step,
      ...{ before: state.firstLoss!, after: state.bestLoss, kept: state.bestPass, passes: state.passes },
      ...{
        ended,
        ...(message !== undefined && { message }),
        frozen: student.frozen,
        seconds: state.milliseconds / 1000,
      },
    },
  });
  try {
    const onPass = await checkpointing(request, student.model, state);
    const { onProgress } = request;
    const loop = new TrainingLoop(
      {
        parameters,
        data,
        teacher,
        runner,
        heldOut,
        optimizer,
        augment,
        recipe,
        settings,
        signal,
        onProgress,
        onPass,
      },
      state,
    );
    const trained = finish(await loop.run());
    return recipe ? { ...trained, keeps: await recipe.finish(state.best) } : trained;
  } catch (error) {
    if (error instanceof DivergedError)
      throw new TrainingDiverged(error.message, finish('diverged', error.message), error);
    throw error;
  } finally {
    await Promise.all([teacher.release(), runner.release(), heldOut.release()]);
  }
}

/** Recipes plan by steps, and what they have decided is in no checkpoint. */
function checkSparse({ trainable, minutes, checkpoint, average, patience }: TrainRequest): void {
  if (trainable === 'low-rank')
    throw new PruneError('invalid-option', "weights that follow from low-rank updates can't be made zero by a recipe; train all"); // prettier-ignore
  const given = Object.entries({ minutes, checkpoint, average, patience }).find(([, value]) => value !== undefined); // prettier-ignore
  if (given)
    throw new PruneError('invalid-option', `${given[0]} can't be had together with pruning while training; leave it out`); // prettier-ignore
}

/** Takes over the last checkpoint if that is asked for; returns what writes one after each pass. */
async function checkpointing(
  request: TrainRequest,
  student: Model,
  state: TrainingState,
): Promise<((state: TrainingState) => Promise<void>) | undefined> {
  const { checkpoint, resume } = request;
  if (!checkpoint) {
    if (!resume) return undefined;
    throw new PruneError('invalid-option', 'resume needs a checkpoint folder; give one, or leave it out');
  }
  const identity = await identityOf([
    encodeModel(request.teacher),
    encodeModel(student),
    request.data.description,
    await firstBytes(request.data),
    optionsText(request),
  ]);
  const saved = resume ? await checkpoint.load() : undefined;
  if (saved) await restoreCheckpoint(saved, state, identity);
  return async (current) => checkpoint.save(await encodeCheckpoint(current, identity));
}

/** Options that change the weights that come out, as text. */
function optionsText(request: TrainRequest): string {
  const { distilLoss, epochs, minutes, trainBatch, trainLimit, heldOut, optimizer, learningRate } = request;
  const { learningRateSchedule, warmUp, weightDecay, clipNorm, accumulate, average, trainable } = request;
  const { batchStatistics, augment, patience, seed, rank } = request;
  const values = [
    ...[distilLoss, epochs, minutes, trainBatch, trainLimit, heldOut, optimizer, learningRate],
    ...[learningRateSchedule, warmUp, weightDecay, clipNorm, accumulate, average, trainable],
    ...[batchStatistics, augment, patience, seed, rank],
  ];
  return JSON.stringify(values, (_, value: unknown) => (typeof value === 'function' ? String(value) : value));
}

async function firstBytes(data: DataSource): Promise<Uint8Array> {
  for await (const { inputs } of data) {
    const [first] = Object.values(inputs);
    if (first) return new Uint8Array(first.data.buffer, first.data.byteOffset, first.data.byteLength);
  }
  return new Uint8Array(0);
}

function keptOf({ inner = [] }: TrainRequest): ReadonlyMap<string, InnerValue['kept']> {
  return new Map(inner.map(({ name, kept }) => [name, kept]));
}

function checkLabels(losses: readonly WeightedLoss[], { labelled, description }: DataSource): void {
  if (labelled !== false || !losses.some(({ loss }) => loss.labels)) return;
  throw new PruneError('invalid-data', `'${description}' has no labels to train by; give labels, or another distil loss`); // prettier-ignore
}

/** Examples that losses are suited to: enough for variances. */
const sampled = 512;

/** Resolves losses; where they have to know the dense model's values it is run over some held-out examples. */
async function lossesOf(request: TrainRequest, data: TrainingData): Promise<WeightedLoss[]> {
  const { distilLoss = 'auto', teacher: model, student, inner = [], runtime, threads, provider } = request;
  const specs = listOf(distilLoss);
  const shared = new Set(student.model.graph.outputs.map(({ name }) => name));
  const outputs = model.graph.outputs
    .filter(({ name, type }) => shared.has(name) && (type?.kind !== 'tensor' || type.dtype === 'float32'))
    .map(({ name }) => name);
  const isInner = specs.some((spec) => readsBlocks(typeof spec === 'string' ? spec : 'loss' in spec ? spec.loss : undefined)); // prettier-ignore
  const watched = isInner ? inner.filter(({ name }) => !outputs.includes(name)) : [];
  const names = [...outputs, ...watched.map(({ name }) => name)];
  const teacher = new Teacher({ model, names, kept: keptOf(request), count: undefined, memory: 0, runtime, threads, provider }); // prettier-ignore
  const axisOf = new Map(watched.map(({ name, axis }) => [name, axis]));
  const collectors = new Map(names.map((name) => [name, new StatisticsCollector(name, axisOf.get(name))]));
  let seen = 0;
  try {
    for await (const drawn of data.heldOut()) {
      const values: Readonly<Record<string, BatchTensor>> = await teacher.values(drawn);
      for (const [name, collector] of collectors) collector.add(values[teacherKey(name)]!, drawn.batch.valid);
      seen += drawn.batch.valid;
      if (seen >= sampled) break;
    }
  } finally {
    await teacher.release();
  }
  const found = (list: readonly string[]): ValueStatistics[] => list.map((name) => collectors.get(name)!.result()); // prettier-ignore
  return resolveLosses(specs, { outputs: found(outputs), inner: found(watched.map(({ name }) => name)) });
}

function listOf(spec: DistilLossSpec | readonly DistilLossSpec[]): readonly DistilLossSpec[] {
  return Array.isArray(spec) ? (spec as readonly DistilLossSpec[]) : [spec as DistilLossSpec];
}
