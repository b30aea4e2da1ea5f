import { emptyNamed, ownValue } from '../onnx/named.js';
import type { Tensor as RuntimeTensor } from 'onnxruntime-common';
import type { DataSource } from '../data/batch.js';
import { PruneError, throwIfAborted } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import type { DataType } from '../onnx/data-type.js';
import { capturedNames } from '../onnx/graph-index.js';
import type { Model, Node } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import { inputKeyOf, keyOf, type SolveOrder, type Segment, type LayerTurn } from './solve-order.js';
import type { Weights } from './weight-edit.js';

/** Activations of all batches, by key; a value is held from the segment that makes it to the last that reads it. */
export type Activations = ReadonlyMap<string, readonly RuntimeTensor[]>;

/** What a sweep does when the activations of a wave's layers are there. */
export type OnWave = (stops: readonly LayerTurn[], activations: Activations, wave: number) => Promise<void>;

/**
 * Walks both models wave by wave over all batches, keeping what later segments need: every node runs once.
 * @param weights what has been solved so far, read anew for every segment
 */
export async function propagate(
  schedule: SolveOrder,
  dense: Model,
  data: DataSource,
  weights: Weights,
  runtime: Runtime,
  signal: AbortSignal | undefined,
  onWave: OnWave,
): Promise<void> {
  const { segments, waves } = schedule;
  const uses = segments.map((segment, wave) => usesOf(schedule, segment, waves[wave]!));
  const lastUse = new Map<string, number>();
  uses.forEach(({ read }, wave) => {
    for (const key of read) lastUse.set(key, wave);
  });
  const store = new Map<string, RuntimeTensor[]>();
  await storeInputs(store, dense, data, lastUse, runtime, signal);
  for (const [wave, segment] of segments.entries()) {
    throwIfAborted(signal);
    const outputs = [...uses[wave]!.written].filter((key) => lastUse.has(key));
    await runSegment(segment, store, outputs, { schedule, dense, weights, runtime, signal });
    release(store, (key) => lastUse.get(key)! < wave);
    await onWave(waves[wave]!, store, wave);
    release(store, (key) => lastUse.get(key)! <= wave);
  }
}

interface SegmentUses {
  /** What the segment and the layers behind it read. */
  readonly read: ReadonlySet<string>;
  readonly written: ReadonlySet<string>;
}

function usesOf(schedule: SolveOrder, segment: Segment, stops: readonly LayerTurn[]): SegmentUses {
  const { differing, denseSources, maskedSources } = schedule;
  const read = new Set<string>();
  const written = new Set<string>();
  for (const [steps, isMasked] of [
    [segment.dense, false],
    [segment.masked, true],
  ] as const)
    for (const { node } of steps) {
      for (const name of [...node.inputs, ...capturedNames(node)])
        if (name && !denseSources.has(name) && !maskedSources.has(name))
          read.add(keyOf(differing, name, isMasked));
      for (const name of node.outputs) if (name) written.add(keyOf(differing, name, isMasked));
    }
  for (const { layer, hasShortcut } of stops) {
    read.add(inputKeyOf(differing, layer)).add(layer.y);
    const value = layer.shortcut?.value;
    if (hasShortcut && value !== undefined) read.add(value).add(keyOf(differing, value, true));
  }
  return { read, written };
}

async function storeInputs(
  store: Map<string, RuntimeTensor[]>,
  { graph }: Model,
  data: DataSource,
  lastUse: ReadonlyMap<string, number>,
  runtime: Runtime,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const { inputs } of data) {
    throwIfAborted(signal);
    for (const { name } of graph.inputs) {
      const given = ownValue(inputs, name);
      if (!given || !lastUse.has(name)) continue;
      const tensors = store.get(name) ?? [];
      tensors.push(runtime.tensor(given.dtype, given.data, given.dims));
      store.set(name, tensors);
    }
  }
  if (store.size === 0)
    throw new PruneError('invalid-data', `no examples in '${data.description}'; give at least one batch`);
}

function release(store: Map<string, RuntimeTensor[]>, isDone: (key: string) => boolean): void {
  for (const key of [...store.keys()]) if (isDone(key)) store.delete(key);
}

interface SegmentContext {
  readonly schedule: SolveOrder;
  readonly dense: Model;
  readonly weights: Weights;
  readonly runtime: Runtime;
  readonly signal: AbortSignal | undefined;
}

async function runSegment(
  segment: Segment,
  store: Map<string, RuntimeTensor[]>,
  outputs: readonly string[],
  context: SegmentContext,
): Promise<void> {
  if (outputs.length === 0) return;
  const { runtime, signal } = context;
  const session = await runtime.load(encodeModel(segmentModel(segment, store, outputs, context)));
  try {
    for (const key of outputs) store.set(key, []);
    const batches = [...store.values()].reduce((most, { length }) => Math.max(most, length), 0);
    for (let batch = 0; batch < batches; batch++) {
      throwIfAborted(signal);
      const feeds = emptyNamed<RuntimeTensor>();
      for (const name of session.inputNames) feeds[name] = store.get(name)![batch]!;
      const results = await session.run(feeds);
      for (const key of outputs) store.get(key)!.push(results[key]!);
    }
  } finally {
    await session.release();
  }
}

function segmentModel(
  { dense: denseSteps, masked: maskedSteps }: Segment,
  store: ReadonlyMap<string, readonly RuntimeTensor[]>,
  outputs: readonly string[],
  { schedule, dense, weights }: SegmentContext,
): Model {
  const { differing, denseSources, maskedSources } = schedule;
  const initializers = new Map<string, Tensor>();
  const inputs = new Set<string>();
  const written = new Set<string>();
  const read = (name: string, masked: boolean): string => {
    if (name === '') return '';
    const source = denseSources.get(name) ?? maskedSources.get(name);
    if (source) {
      initializers.set(name, { ...source.tensor, name });
      return name;
    }
    const key = keyOf(differing, name, masked);
    if (!written.has(key)) inputs.add(key);
    return key;
  };
  const place = (node: Node, masked: boolean, changes: ReadonlyMap<number, Tensor> | undefined): Node => {
    const values = node.inputs.map((name, i) => (changes?.has(i) ? '' : read(name, masked)));
    for (const [input, tensor] of changes ?? []) {
      const name = `solved::${nameOf(node)}::${input}`;
      initializers.set(name, { ...tensor, name });
      while (values.length <= input) values.push('');
      values[input] = name;
    }
    for (const name of capturedNames(node)) read(name, masked);
    const results = node.outputs.map((name) => (name ? keyOf(differing, name, masked) : ''));
    for (const name of results) written.add(name);
    return { ...node, name: '', inputs: values, outputs: results };
  };
  const nodes = [
    ...denseSteps.map(({ node }) => place(node, false, undefined)),
    ...maskedSteps.map(({ node, index }) =>
      place(node, true, index === undefined ? undefined : weights.get(index)),
    ),
  ];
  const info = (name: string, dtype: DataType): Model['graph']['inputs'][number] => ({
    name,
    docString: '',
    type: { kind: 'tensor', dtype, shape: undefined, denotation: '' },
  });
  return {
    ...dense,
    irVersion: Math.max(dense.irVersion, 4),
    graph: {
      ...dense.graph,
      nodes,
      initializers: [...initializers.values()],
      sparseInitializers: [],
      inputs: [...inputs].map((key) => info(key, store.get(key)![0]!.type as DataType)),
      outputs: outputs.map((name) => ({ name, docString: '', type: undefined })),
      valueInfos: [],
      quantizationAnnotations: [],
    },
  };
}

function nameOf({ outputs }: Node): string {
  return outputs.find((name) => name !== '') ?? '';
}
