import type { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-common';
import { PruneError } from '../errors.js';
import type { Batch, BatchTensor } from '../data/batch.js';
import { encodeModel } from '../onnx/codec.js';
import { opsetOf } from '../onnx/domain.js';
import type { Model } from '../onnx/model.js';
import { parameterOf } from '../onnx/schema.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import { toRuntime } from '../runtime/tensors.js';
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
 * Computes loss and gradients batch after batch: a forward session with the intermediates as outputs, a backward
 * session fed with them. Sessions are made for each shape of the inputs that occurs. Constants among `wrt` are inputs
 * of both, so other values can be tried without building anything again.
 */
export class GradientRunner {
  private readonly compiled = new Map<string, Compiled>();
  private weights: Readonly<Record<string, RuntimeTensor>> | undefined;
  private replaced: ReadonlyMap<string, Tensor> = new Map();

  constructor(private readonly options: GradientRunnerOptions) {}

  /** Constants of `wrt` to compute with from now on in place of the model's. */
  replaceWeights(weights: ReadonlyMap<string, Tensor>): void {
    this.replaced = weights;
    this.weights = undefined;
  }

  async run(batch: Batch): Promise<BatchGradients> {
    const key = Object.entries(batch.inputs).map(([name, { dims }]) => `${name}:${dims.join()}`).join(';'); // prettier-ignore
    let compiled = this.compiled.get(key);
    if (!compiled) this.compiled.set(key, (compiled = await compile(this.options, batch)));
    const { graphs, forward, backward } = compiled;
    const { runtime } = this.options;
    const weights = (this.weights ??= this.weightTensors(graphs));
    const inputs: Record<string, RuntimeTensor> = {};
    for (const [name, { dtype, data, dims }] of Object.entries(batch.inputs))
      inputs[name] = runtime.tensor(dtype, data, dims);
    const available = { ...inputs, ...weights };
    const kept = await forward.run(available);
    const feeds: Record<string, RuntimeTensor> = {};
    for (const name of graphs.shared) feeds[name] = available[name]!;
    for (const name of graphs.kept) feeds[name] = kept[name]!;
    for (const fed of graphs.fed) feeds[fed.name] = fedTensor(runtime, fed, batch);
    const results = await backward.run(feeds);
    const gradients = new Map<string, Float32Array>();
    for (const [name, output] of graphs.gradients) gradients.set(name, results[output]!.data as Float32Array);
    return { loss: (results[graphs.loss]!.data as Float32Array)[0]!, gradients };
  }

  /** The graphs for a batch, for those who want to look at them. */
  async graphsFor(batch: Batch): Promise<GradientGraphs> {
    return (await graphsFor(this.options, batch)).graphs;
  }

  async release(): Promise<void> {
    for (const { forward, backward } of this.compiled.values()) {
      await forward.release();
      await backward.release();
    }
    this.compiled.clear();
  }

  private weightTensors({ weights }: GradientGraphs): Record<string, RuntimeTensor> {
    return Object.fromEntries(
      [...weights].map(([name, tensor]) => [
        name,
        toRuntime(this.options.runtime, this.replaced.get(name) ?? tensor),
      ]),
    );
  }
}

interface Compiled {
  readonly graphs: GradientGraphs;
  readonly forward: InferenceSession;
  readonly backward: InferenceSession;
}

async function compile(options: GradientRunnerOptions, batch: Batch): Promise<Compiled> {
  const { runtime, threads } = options;
  const { graphs } = await graphsFor(options, batch);
  const session = threads === undefined ? {} : { threads };
  const forward = await runtime.load(encodeModel(graphs.forward), session);
  const backward = await runtime.load(encodeModel(graphs.backward), session);
  return { graphs, forward, backward };
}

async function graphsFor(
  { model, runtime, loss, wrt, signal }: GradientRunnerOptions,
  batch: Batch,
): Promise<{ graphs: GradientGraphs }> {
  const dims = Object.fromEntries(Object.entries(batch.inputs).map(([name, input]) => [name, input.dims]));
  const shapes = await inferShapes(model, runtime, { shapes: dims, signal });
  const constants = await shapeConstants(model, runtime, shapes);
  return { graphs: buildGradients({ model, shapes, constants, loss, wrt }) };
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
