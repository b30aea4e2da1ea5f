import { PruneError } from '../errors.js';
import type { DataType } from '../onnx/data-type.js';
import type { Emitter } from './emitter.js';
import type { LossName } from './loss-names.js';
import { axisIndex, product } from './rule.js';

/** A float32 output of the model with its static shape. */
export interface LossOutput {
  readonly name: string;
  readonly shape: readonly number[];
}

/** What a loss sees: it emits its own value and the cotangents of the outputs it reads. */
export interface LossContext {
  readonly emit: Emitter;
  /** @throws PruneError `unsupported` if the shape of one depends on data */
  readonly outputs: readonly LossOutput[];
  /**
   * Any float32 value of the graph.
   * @throws PruneError `unsupported` if its shape depends on data, `invalid-option` for a name that there is none of
   */
  value(name: string): LossOutput;
  /** Examples in a batch. */
  readonly batch: number;
  /** A value that is fed with each batch. */
  feed(feed: LossFeed, dtype: DataType, shape: readonly number[]): string;
}

/** `weights`: one per example, adding up to 1 over those that count; `labels`: int64 classes; else a named extra of the data. */
export type LossFeed = 'weights' | 'labels' | { readonly extra: string };

export interface EmittedLoss {
  /** Name of a value of rank 0. */
  readonly value: string;
  readonly cotangents: ReadonlyMap<string, string>;
}

/** A scalar to differentiate: the mean over examples of a loss per example. */
export interface Loss {
  readonly name: string;
  emit(context: LossContext): EmittedLoss;
}

export interface LossSettings {
  /** The output, or any value of the graph, that it reads. Default: the first output of rank 2 or more. */
  readonly output?: string;
  /** Axis of the classes. Default: 1; of outputs of rank 3 the last. */
  readonly axis?: number;
  /** Name of the array with targets among the data's extras. Default `target`. */
  readonly target?: string;
}

/**
 * `cross-entropy`: with the labels of the data, or for outputs of rank 3 and more with an integer target per position.
 * `pseudo-labels`: cross-entropy with the model's own decision as label.
 * `squared-norm`: sum of squares of all outputs. `kl`: KL divergence from the softmax of given logits.
 * `mse`: mean squared distance to given targets. `output`: a value with one element is the loss itself.
 */
export const losses = {
  'cross-entropy': (settings: LossSettings = {}): Loss => ({
    name: 'cross-entropy',
    emit: (context) => {
      const output = chosen(context, settings);
      const axis = classAxis(output, settings);
      const dims = output.shape.toSpliced(axis, 1);
      const feed: LossFeed = dims.length === 1 ? 'labels' : { extra: settings.target ?? 'target' };
      return crossEntropy(context, output, axis, context.feed(feed, 'int64', dims));
    },
  }),
  'pseudo-labels': (settings: LossSettings = {}): Loss => ({
    name: 'pseudo-labels',
    emit: (context) => {
      const output = chosen(context, settings);
      const axis = classAxis(output, settings);
      const labels = context.emit.argMax(output.name, axis);
      return crossEntropy(context, output, axis, labels);
    },
  }),
  'squared-norm': (settings: LossSettings = {}): Loss => ({
    name: 'squared-norm',
    emit: (context) => {
      const e = context.emit;
      const outputs = settings.output === undefined ? context.outputs : [chosen(context, settings)];
      const parts = outputs.map((output) => {
        const weighted = e.mul(output.name, weightsFor(context, output.shape));
        return { output, weighted, value: total(e, e.mul(weighted, output.name)) };
      });
      const value = e.total(parts.map((part) => part.value));
      return { value, cotangents: new Map(parts.map(({ output, weighted }) => [output.name, e.scale(weighted, 2)])) }; // prettier-ignore
    },
  }),
  kl: (settings: LossSettings = {}): Loss => ({
    name: 'kl',
    emit: (context) => {
      const e = context.emit;
      const output = chosen(context, settings);
      const axis = classAxis(output, settings);
      const target = context.feed({ extra: settings.target ?? 'target' }, 'float32', output.shape);
      const weights = e.scale(weightsFor(context, output.shape), 1 / positionsOf(output, axis));
      const [ours, theirs] = [e.logSoftmax(output.name, axis), e.logSoftmax(target, axis)];
      const p = e.exp(theirs);
      const value = total(e, e.mul(weights, e.mul(p, e.sub(theirs, ours))));
      const g = e.mul(weights, e.sub(e.exp(ours), p));
      return { value, cotangents: new Map([[output.name, g]]) };
    },
  }),
  mse: (settings: LossSettings = {}): Loss => ({
    name: 'mse',
    emit: (context) => {
      const e = context.emit;
      const output = chosen(context, settings);
      const target = context.feed({ extra: settings.target ?? 'target' }, 'float32', output.shape);
      const difference = e.sub(output.name, target);
      const perExample = product(output.shape) / (output.shape[0] ?? 1);
      const weighted = e.mul(difference, e.scale(weightsFor(context, output.shape), 1 / perExample));
      const value = total(e, e.mul(weighted, difference));
      return { value, cotangents: new Map([[output.name, e.scale(weighted, 2)]]) };
    },
  }),
  output: (settings: LossSettings = {}): Loss => ({
    name: 'output',
    emit: (context) => {
      const { emit: e } = context;
      const { output: name } = settings;
      const found = name === undefined ? context.outputs.find(({ shape }) => product(shape) === 1) : context.value(name); // prettier-ignore
      if (!found || product(found.shape) !== 1)
        throw new PruneError(
          'invalid-option',
          `invalid loss output: ${name ?? 'none has one element'}; name an output of one element among ${listed(context.outputs)}`,
        );
      const one = e.floats([1], found.shape);
      return { value: e.reshape(found.name, []), cotangents: new Map([[found.name, one]]) };
    },
  }),
} as const satisfies Readonly<Record<LossName, (settings?: LossSettings) => Loss>>;

/** A name, a name with settings, or a loss of one's own. */
export type LossSpec = LossName | (LossSettings & { readonly loss: LossName }) | Loss;

/** @throws PruneError `invalid-option` for an unknown name, listing the names. */
export function resolveLoss(spec: LossSpec): Loss {
  if (typeof spec === 'object' && 'emit' in spec) return spec;
  const { loss, ...settings } = typeof spec === 'string' ? { loss: spec } : spec;
  if (Object.hasOwn(losses, loss)) return losses[loss](settings);
  throw new PruneError(
    'invalid-option',
    `unknown loss: ${String(loss)}; use one of ${Object.keys(losses).join(', ')}`,
  );
}

function crossEntropy(
  context: LossContext,
  { name, shape }: LossOutput,
  axis: number,
  labels: string,
): EmittedLoss {
  const e = context.emit;
  const truth = e.oneHot(labels, shape[axis]!, axis);
  const log = e.logSoftmax(name, axis);
  const weights = e.scale(weightsFor(context, shape), 1 / positionsOf({ name, shape }, axis));
  const value = e.neg(total(e, e.mul(weights, e.mul(truth, log))));
  const g = e.mul(weights, e.sub(e.softmax(name, axis), truth));
  return { value, cotangents: new Map([[name, g]]) };
}

function chosen(context: LossContext, { output: name }: LossSettings): LossOutput {
  if (name !== undefined) return context.value(name);
  const found = context.outputs.find(({ shape }) => shape.length >= 2);
  if (found) return found;
  throw new PruneError(
    'invalid-option',
    `invalid loss output: none has classes; the model's float outputs are ${listed(context.outputs)}`,
  );
}

/** Axis of the classes of an output: what settings say, else 1; of outputs of rank 3 the last. */
export function classAxis(
  { shape }: LossOutput,
  { axis = shape.length === 3 ? 2 : 1 }: LossSettings,
): number {
  return axisIndex(axis, shape.length);
}

/** Decisions per example. */
export function positionsOf({ shape }: LossOutput, axis: number): number {
  return product(shape.toSpliced(axis, 1)) / shape[0]!;
}

/** The weights of the examples, to be multiplied with a value; where it has no batch axis every element counts whole. */
export function weightsFor(context: LossContext, shape: readonly number[]): string {
  const { emit: e, batch } = context;
  if (shape[0] !== batch) return e.scalar(1);
  const weights = context.feed('weights', 'float32', [batch]);
  return e.reshape(weights, [batch, ...shape.slice(1).map(() => 1)]);
}

/** The sum of all elements, of rank 0. */
export function total(e: Emitter, value: string): string {
  return e.sumOfAll(value);
}

function listed(outputs: readonly LossOutput[]): string {
  return outputs.map(({ name, shape }) => `${name} [${shape.join(', ')}]`).join(', ') || 'none';
}
