import { analyze, type Analysis } from '../analysis/analyze.js';
import type { KeptMasks } from '../axes/project.js';
import type { DataSource } from '../data/batch.js';
import { findBranches } from '../depth/branches.js';
import type { Model } from '../onnx/model.js';
import type { AnalyzeOptions } from '../options/analyze.js';
import type { CommonOptions, Phase } from '../options/common.js';
import type { Runtime } from '../runtime/runtime.js';
import { innerValues, type InnerValue } from '../training/inner.js';
import type { TrainOptions } from '../training/options.js';
import type { TrainingProgress } from '../training/report.js';
import { TrainingDiverged, trainStudent, type Trained } from '../training/train.js';

/** What the student is, in terms of the dense model. */
export interface Slicing {
  /** The analysis of the dense model, or of it without some branches or in another basis: values of the same names. */
  readonly analysis: Analysis;
  readonly masks: KeptMasks;
  /** Ids of the groups whose channels are in another basis than the dense model's, so that none can be compared. */
  readonly rotated: readonly string[];
}

export interface TrainModelOptions extends AnalyzeOptions, TrainOptions {
  readonly runtime: Runtime;
  readonly data: DataSource;
  /** How the student was made; undefined: values inside the models are not compared. */
  readonly slicing?: Slicing | undefined;
}

/** Key of a model's metadata that says how its weights were trained. */
export const trainingKey = 'onnx-prune.training';

/**
 * Trains a model, in the form of a file, towards the dense one.
 * @throws TrainingDiverged and what `trainStudent` throws
 */
export async function trainModel(
  dense: Analysis,
  pruned: Model,
  options: TrainModelOptions,
): Promise<Trained> {
  const { shapes, axisRules, onProgress, slicing, ...rest } = options;
  const { runtime, signal } = options;
  const student = await analyze(pruned, { runtime, signal, ...(shapes && { shapes }), ...(axisRules && { axisRules }) }); // prettier-ignore
  const finish = ({ model, report }: Trained): Trained => ({
    model: noted(student.canonical.restore(model), report),
    report,
  });
  try {
    return finish(
      await trainStudent({
        ...rest,
        teacher: dense.model,
        student: student.axes,
        inner: slicing && comparable(dense, slicing, student.model),
        onProgress: progressOf(onProgress, 'train'),
      }),
    );
  } catch (error) {
    if (error instanceof TrainingDiverged)
      throw new TrainingDiverged(error.message, finish(error.trained), error);
    throw error;
  }
}

/** Progress of training as that of a phase, in thousandths. */
export function progressOf(
  onProgress: CommonOptions['onProgress'],
  phase: Phase,
): (progress: TrainingProgress) => void {
  return ({ share, pass, step, loss, learningRate, secondsLeft }) => {
    const parts = [
      `pass ${pass}, step ${step}, loss ${loss.toPrecision(3)}, rate ${learningRate.toPrecision(2)}`,
    ];
    if (secondsLeft !== undefined) parts.push(`${shown(secondsLeft)} left`);
    onProgress?.({ phase, done: Math.round(1000 * share), total: 1000, detail: parts.join(', ') });
  };
}

/** Values at the ends of residual branches that both models have in one basis. */
function comparable(dense: Analysis, { analysis, masks, rotated }: Slicing, student: Model): InnerValue[] {
  const { model, cost, shapes, axes, grouping } = analysis;
  const there = new Set(dense.model.graph.nodes.flatMap(({ outputs }) => outputs));
  const { branches } = findBranches({
    ...{ model, cost, dtypeOf: (value) => shapes.dtypeOf(value) },
    shapes: [(value) => shapes.of(value)],
  });
  const { system } = axes;
  const isRotated = (value: string): boolean =>
    (axes.axes.get(value) ?? []).some(
      (axis) =>
      system.leaves(axis).some((leaf) => rotated.includes(grouping.byFactor.get(leaf.origin?.factor ?? leaf)?.id ?? '')), // prettier-ignore
    );
  const names = branches.map(({ sum }) => sum).filter((name) => there.has(name) && !isRotated(name));
  return innerValues(axes, masks, names, student);
}

/** The model with a line in its metadata on how its weights came about, where training changed them. */
function noted(model: Model, { kept, loss, steps }: Trained['report']): Model {
  if (kept === 0) return model;
  const entry = { key: trainingKey, value: `weights trained: ${loss}, ${steps} steps` };
  const others = model.metadata.filter(({ key }) => key !== trainingKey);
  return { ...model, metadata: [...others, entry] };
}

function shown(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
}
