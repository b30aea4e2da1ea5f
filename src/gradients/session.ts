import type { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-common';
import { PruneError } from '../errors.js';
import type { Batch, BatchTensor } from '../data/batch.js';
import { encodeModel } from '../onnx/codec.js';
import { opsetOf } from '../onnx/domain.js';
import { tensorInfo } from '../onnx/graph-model.js';
import type { Model } from '../onnx/model.js';
import { parameterOf } from '../ops/parameters.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { has } from '../ops/index.js';
import type { Provider, Runtime } from '../runtime/runtime.js';
import { feedsOf } from '../runtime/tensors.js';
import { evaluateConstants } from '../shapes/evaluate.js';
import { literalsOf } from '../shapes/literals.js';
import { inferShapes, type Shapes } from '../shapes/shapes.js';
import { buildGradients, type FedValue, type GradientGraphs } from './build.js';
import type { Loss } from './losses.js';

/** Loss and gradients of one batch; values that the loss doesn't depend on are missing. */
export interface BatchGradients {
  /** Mean over the examples that count. */
  readonly loss: number;
  readonly gradients: ReadonlyMap<string, Float32Array>;
  /** The watched values. */
  readonly watched: ReadonlyMap<string, Float32Array>;
}

export interface GradientRunnerOptions {
  readonly model: Model;
  readonly runtime: Runtime;
  readonly loss: Loss;
  /** Names of the values to differentiate by. */
  readonly wrt: readonly string[];
  /**
   * Whether constants of `wrt` are inputs of the sessions, given anew with each batch, as training has them. Else they
   * are constants of the sessions, which run up to twice as fast but have to be made anew for other weights. Default false.
   */
  readonly fedWeights?: boolean | undefined;
  /** Other float32 values of the graph to return with each batch. Default: none. */
  readonly watch?: readonly string[] | undefined;
  readonly threads?: number | undefined;
  /** Default `cpu`. */
  readonly provider?: Provider | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Computes loss and gradients batch after batch. Graphs are built for each shape of the inputs that occurs. Weights are
 * constants of the sessions, since onnxruntime lays out, folds and fuses only constants: other values mean new sessions.
 * Where `fedWeights` asks for it they are inputs.
 */
export class GradientRunner {
  private readonly graphs = new Map<string, GradientGraphs>();
  private readonly sessions = new Map<string, readonly InferenceSession[]>();
  private replaced: ReadonlyMap<string, Tensor> = new Map();

  private readonly dims: ReadonlyMap<string, readonly number[]>;

  constructor(private readonly options: GradientRunnerOptions) {
    this.dims = new Map([...literalsOf(options.model.graph)].map(([name, { dims }]) => [name, dims]));
  }

  /** Constants of `wrt` to compute with from now on in place of the model's. */
  async replaceWeights(weights: ReadonlyMap<string, Tensor>): Promise<void> {
    await this.release();
    this.replaced = weights;
  }

  /**
   * @param weights with `fedWeights`: all constants of `wrt`, by name, of their own shapes; they aren't copied
   */
  async run(batch: Batch, weights?: ReadonlyMap<string, Float32Array>): Promise<BatchGradients> {
    const { runtime } = this.options;
    const key = Object.entries(batch.inputs).map(([name, { dims }]) => `${name}:${dims.join()}`).join(';'); // prettier-ignore
    let graphs = this.graphs.get(key);
    if (!graphs) this.graphs.set(key, (graphs = await graphsFor(this.options, batch)));
    let sessions = this.sessions.get(key);
    if (!sessions) this.sessions.set(key, (sessions = await this.load(graphs)));
    const values = feedsOf(runtime, batch.inputs);
    for (const fed of graphs.fed) values[fed.name] = fedTensor(runtime, fed, batch);
    for (const [name, own] of weights ?? [])
      values[name] = runtime.tensor('float32', own, this.dims.get(name)!);
    for (const session of sessions) {
      const feeds = Object.fromEntries(session.inputNames.map((name) => [name, values[name]!]));
      Object.assign(values, await session.run(feeds));
    }
    const floats = (value: string): Float32Array => values[value]!.data as Float32Array;
    return {
      loss: floats(graphs.loss)[0]!,
      gradients: new Map([...graphs.gradients].map(([name, output]) => [name, floats(output)])),
      watched: new Map((this.options.watch ?? []).map((name) => [name, floats(name)])),
    };
  }

  async release(): Promise<void> {
    for (const sessions of this.sessions.values()) for (const session of sessions) await session.release();
    this.sessions.clear();
  }

  private async load({ stages }: GradientGraphs): Promise<InferenceSession[]> {
    const { runtime, threads, provider, fedWeights, wrt } = this.options;
    const options = { ...(threads !== undefined && { threads }), ...(provider && { provider }) };
    const sessions: InferenceSession[] = [];
    for (const stage of stages) {
      const model = fedWeights ? withFedWeights(stage, wrt) : withWeights(stage, this.replaced);
      sessions.push(await runtime.load(encodeModel(model), options));
    }
    return sessions;
  }
}

function withWeights(model: Model, replaced: ReadonlyMap<string, Tensor>): Model {
  const initializers = model.graph.initializers.map((tensor) => replaced.get(tensor.name) ?? tensor);
  return { ...model, graph: { ...model.graph, initializers } };
}

/** Constants of these names as inputs. */
function withFedWeights(model: Model, names: readonly string[]): Model {
  const wanted = new Set(names);
  const { initializers, inputs } = model.graph;
  const fed = initializers.filter(({ name }) => wanted.has(name));
  const graph = {
    ...model.graph,
    initializers: initializers.filter(({ name }) => !wanted.has(name)),
    inputs: [...inputs, ...fed.map(({ name, dtype, dims }) => tensorInfo(name, dtype, dims))],
  };
  return { ...model, graph };
}

async function graphsFor(
  { model, runtime, loss, wrt, watch, signal }: GradientRunnerOptions,
  batch: Batch,
): Promise<GradientGraphs> {
  const dims = Object.fromEntries(Object.entries(batch.inputs).map(([name, input]) => [name, input.dims]));
  const shapes = await inferShapes(model, runtime, { shapes: dims, signal });
  const constants = await shapeConstants(model, runtime, shapes);
  return buildGradients({ model, shapes, constants, loss, wrt, watch });
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
    if (has(node, 'gathers') && isSmall(shapes, node.inputs[1]!)) wanted.add(node.inputs[1]!);
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
