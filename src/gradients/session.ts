import type { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-common';
import { PruneError } from '../errors.js';
import type { Batch, BatchTensor } from '../data/batch.js';
import { encodeModel } from '../onnx/codec.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model } from '../onnx/model.js';
import { parameterOf } from '../ops/parameters.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import { feedsOf } from '../runtime/tensors.js';
import { evaluateConstants } from '../shapes/evaluate.js';
import { inferShapes, type Shapes } from '../shapes/shapes.js';
import { buildGradients, type FedValue, type GradientGraphs } from './build.js';
import type { Loss } from './losses.js';

/** Loss and gradients of one batch; values that the loss doesn't depend on are missing. */
export interface BatchGradients {
  /** Mean over the examples that count. */
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
}

export interface GradientRunnerOptions {
  readonly model: Model;
  readonly runtime: Runtime;
  readonly loss: Loss;
  /** Names of the values to differentiate by. */
  readonly wrt: readonly string[];
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Computes loss and gradients batch after batch. Graphs are built for each shape of the inputs that occurs. Weights are
 * constants of the sessions, since onnxruntime lays out, folds and fuses only constants: other values mean new sessions.
 */
export class GradientRunner {
  private readonly graphs = new Map<string, GradientGraphs>();
  private readonly sessions = new Map<string, readonly InferenceSession[]>();
  private replaced: ReadonlyMap<string, Tensor> = new Map();

  constructor(private readonly options: GradientRunnerOptions) {}

  /** Constants of `wrt` to compute with from now on in place of the model's. */
  async replaceWeights(weights: ReadonlyMap<string, Tensor>): Promise<void> {
    await this.release();
    this.replaced = weights;
  }

  async run(batch: Batch): Promise<BatchGradients> {
    const { runtime } = this.options;
    const key = Object.entries(batch.inputs).map(([name, { dims }]) => `${name}:${dims.join()}`).join(';'); // prettier-ignore
    let graphs = this.graphs.get(key);
    if (!graphs) this.graphs.set(key, (graphs = await graphsFor(this.options, batch)));
    let sessions = this.sessions.get(key);
    if (!sessions) this.sessions.set(key, (sessions = await this.load(graphs)));
    const values = feedsOf(runtime, batch.inputs);
    for (const fed of graphs.fed) values[fed.name] = fedTensor(runtime, fed, batch);
    for (const session of sessions) {
      const feeds = Object.fromEntries(session.inputNames.map((name) => [name, values[name]!]));
      Object.assign(values, await session.run(feeds));
    }
    const gradients = new Map<string, Float32Array>();
    for (const [name, output] of graphs.gradients) gradients.set(name, values[output]!.data as Float32Array);
    return { loss: (values[graphs.loss]!.data as Float32Array)[0]!, gradients };
  }

  async release(): Promise<void> {
    for (const sessions of this.sessions.values()) for (const session of sessions) await session.release();
    this.sessions.clear();
  }

  private async load({ stages }: GradientGraphs): Promise<InferenceSession[]> {
    const { runtime, threads } = this.options;
    const options = threads === undefined ? {} : { threads };
    const sessions: InferenceSession[] = [];
    for (const stage of stages)
      sessions.push(await runtime.load(encodeModel(withWeights(stage, this.replaced)), options));
    return sessions;
  }
}

function withWeights(model: Model, replaced: ReadonlyMap<string, Tensor>): Model {
  const initializers = model.graph.initializers.map((tensor) => replaced.get(tensor.name) ?? tensor);
  return { ...model, graph: { ...model.graph, initializers } };
}

async function graphsFor(
  { model, runtime, loss, wrt, signal }: GradientRunnerOptions,
  batch: Batch,
): Promise<GradientGraphs> {
  const dims = Object.fromEntries(Object.entries(batch.inputs).map(([name, input]) => [name, input.dims]));
  const shapes = await inferShapes(model, runtime, { shapes: dims, signal });
  const constants = await shapeConstants(model, runtime, shapes);
  return buildGradients({ model, shapes, constants, loss, wrt });
}

/** Elements of a value that may be a shape, bounds or indices. */
const maxElements = 4096;

/** Parameters of ops that rules read. */
const parameterNames = ['min', 'max', 'pads', 'axes', 'starts', 'ends', 'steps', 'repeats', 'scales', 'k'];

async function shapeConstants(model: Model, runtime: Runtime, shapes: Shapes): Promise<Map<string, Tensor>> {
  const wanted = new Set<string>();
  const opset = opsetOf(model);
  for (const node of model.graph.nodes) {
    if (node.domain !== '') continue;
    for (const parameter of parameterNames) {
      const found = parameterOf(node, opset, parameter);
      if (found.source === 'input') wanted.add(node.inputs[found.index]!);
    }
    if (node.opType === 'Gather' && isSmall(shapes, node.inputs[1]!)) wanted.add(node.inputs[1]!);
  }
  return evaluateConstants(model, runtime, (value) => known(shapes, value), wanted);
}

function isSmall(shapes: Shapes, value: string): boolean {
  const shape = known(shapes, value);
  return shape !== undefined && elementCount(shape) <= maxElements;
}

function known(shapes: Shapes, value: string): readonly number[] | undefined {
  const shape = shapes.of(value);
  return shape?.every((dim) => dim !== undefined) ? shape : undefined;
}

function fedTensor(runtime: Runtime, { feed, shape }: FedValue, batch: Batch): RuntimeTensor {
  const { size, valid, labels, extras } = batch;
  if (feed === 'weights') {
    const weights = new Float32Array(size).fill(1 / valid, 0, valid);
    return runtime.tensor('float32', weights, [size]);
  }
  if (feed === 'labels') {
    if (labels) return runtime.tensor('int64', BigInt64Array.from(labels, BigInt), [size]);
    throw new PruneError(
      'invalid-data',
      `the data has no labels for cross-entropy; give labels, or use the loss pseudo-labels`,
    );
  }
  const extra = extras?.[feed.extra];
  if (!extra) {
    const has = Object.keys(extras ?? {}).join(', ') || 'none';
    throw new PruneError('invalid-data', `the data has no array '${feed.extra}' (extras: ${has}); name the targets so`); // prettier-ignore
  }
  if (extra.dims.join() !== shape.join())
    throw new PruneError(
      'invalid-data',
      `targets '${feed.extra}' of shape [${extra.dims.join(', ')}] don't fit the output's [${shape.join(', ')}]; give one target each`,
    );
  return targetTensor(runtime, extra);
}

/** Integer targets as the int64 that OneHot takes. */
function targetTensor(runtime: Runtime, { dtype, data, dims }: BatchTensor): RuntimeTensor {
  if (dtype === 'float32') return runtime.tensor('float32', data, dims);
  const integers = BigInt64Array.from(data as ArrayLike<number>, (value) => BigInt(value));
  return runtime.tensor('int64', integers, dims);
}
