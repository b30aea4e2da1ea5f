import type { InferenceSession } from 'onnxruntime-common';
import type { AxisCoupling } from '../axes/couple.js';
import { throwIfAborted } from '../errors.js';
import type { Model } from '../onnx/model.js';
import { sliceTensor } from '../onnx/slice.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { atSize, indicesOf, type Projection } from '../plan/projection.js';
import { randomInputs } from '../runtime/inputs.js';
import type { Runtime } from '../runtime/runtime.js';
import { isFeedable } from '../runtime/tensors.js';
import type { Shapes } from '../shapes/shapes.js';
import { boundarySpecs, cutModel, type Cut } from './cut.js';
import type { Kept } from './difference.js';
import { withExactProducts } from './exact-products.js';
import { explain } from './explain.js';
import { made, type Feed } from './feeds.js';
import type { Judge } from './judge.js';
import { maskedModel } from '../masking/masked.js';
import type { Observation } from './observation.js';
import { computedName, pinsIn, withPins, type Pins } from './pins.js';
import type { ProofFailure, SkippedValue } from './report.js';
import { chunks, ofPruned, openSession, PrunedModelError, runOriginal, runSession } from './run.js';

/** Values that are compared in one session each of both models: of the whole, or of a cut. */
export type Part = Cut | { readonly names: readonly string[]; readonly boundary: undefined };

const isCut = (part: Part): part is Cut => part.boundary !== undefined;

/** Bytes of intermediate tensors held at a time. */
const heldBytes = 2 ** 30;

export interface ComparisonInput {
  readonly analysis: AxisCoupling;
  readonly projection: Projection;
  /** The model that was sliced. */
  readonly dense: Model;
  readonly pruned: Model;
  readonly shapes: Shapes;
  readonly observation: Observation;
  readonly judge: Judge;
  readonly runtime: Runtime;
  readonly seed: number | string;
  readonly signal: AbortSignal | undefined;
  /** Told of every comparison. */
  readonly onCompared: (value: string) => void;
}

/** Runs the masked original and the pruned model side by side. */
export class Comparison {
  /** Tensors whose difference says nothing. */
  readonly skipped: SkippedValue[] = [];
  readonly used = new Set<Feed>();
  /** What both models are given: in the pruned one for all pins, in the dense one for what it can't run. */
  private readonly pins: Pins;
  private readonly madeUp: Pins;
  private readonly held = new WeakMap<Feed, ReadonlyMap<string, Tensor>>();

  constructor(private readonly input: ComparisonInput) {
    const { observation, shapes, dense } = input;
    const { pinned, given, opaque, hidden } = observation;
    const unrunnable = opaque.filter(({ runs }) => !runs).flatMap(({ index }) => dense.graph.nodes[index]!.outputs); // prettier-ignore
    const lost = new Set(hidden.map(({ value }) => value));
    const common = {
      lost,
      dtypeOf: (value: string) => shapes.dtypeOf(value),
      rankOf: (value: string) => shapes.of(value)?.length,
    };
    this.pins = { ...common, pinned, given };
    this.madeUp = { ...common, pinned: new Set(), given: new Set(unrunnable.filter((name) => given.has(name))) }; // prettier-ignore
  }

  /** Values of the whole models, as many at a time as fit. */
  async compareWhole(
    names: readonly string[],
    feeds: readonly Feed[],
    forms: (model: Model) => Model = (model) => model,
    pruned = this.input.pruned,
  ): Promise<ProofFailure | undefined> {
    if (names.length === 0) return undefined;
    for (const alike of this.groupByMasks(feeds)) {
      const masked = forms(this.masked(alike[0]!));
      // Two float32 copies at the largest size: the masked original's and the pruned model's.
      const elements = (name: string) => ({ shapes }: Feed) =>
        elementCount((shapes.of(name) ?? []).map((dim) => dim ?? 1)); // prettier-ignore
      const bytesOf = (name: string): number => 8 * Math.max(...alike.map(elements(name)));
      for (const chunk of chunks(names, bytesOf, heldBytes)) {
        const failure = await this.comparePart(masked, pruned, { names: chunk, boundary: undefined }, alike);
        if (failure) return failure;
      }
    }
    return undefined;
  }

  async compareCuts(cuts: readonly Cut[], feeds: readonly Feed[]): Promise<ProofFailure | undefined> {
    for (const alike of this.groupByMasks(feeds)) {
      const masked = this.masked(alike[0]!);
      for (const cut of cuts) {
        const failure = await this.comparePart(masked, this.input.pruned, cut, alike);
        if (failure) return failure;
      }
    }
    return undefined;
  }

  /** Runs the masked original alone. */
  async runMasked(
    change: (masked: Model) => { readonly model: Model; readonly names: readonly string[] },
    feed: Feed,
  ): Promise<ReadonlyMap<string, Tensor>> {
    const { model, names } = change(this.masked(feed));
    const session = await this.open(withPins(model, this.madeUp), names);
    try {
      return await runSession(session, await this.feedsOf(undefined, feed), this.input.runtime);
    } finally {
      await session.release();
    }
  }

  private async comparePart(
    masked: Model,
    pruned: Model,
    part: Part,
    feeds: readonly Feed[],
  ): Promise<ProofFailure | undefined> {
    const { runtime, signal, judge } = this.input;
    const original = this.partOf(masked, part);
    const candidate = this.partOf(pruned, part);
    const pinned = new Set(pinsIn(original, this.pins));
    const fetched = [...pinned].filter((name) => !this.madeUp.given.has(name));
    const reference = await this.open(withPins(original, this.madeUp), [
      ...new Set([...part.names, ...fetched]),
    ]);
    let session: InferenceSession | undefined;
    try {
      const own = new Set(pinsIn(candidate, this.pins));
      const nameIn = (name: string): string => (own.has(name) && this.pins.pinned.has(name) ? computedName(name) : name); // prettier-ignore
      session = await ofPruned(this.open(withPins(candidate, this.pins), part.names.map(nameIn)));
      for (const feed of feeds) {
        throwIfAborted(signal);
        const tensors = await this.feedsOf(part, feed);
        const expected = await runOriginal(reference, tensors, runtime, feed.isTrial);
        if (!expected) continue;
        this.used.add(feed);
        const all = new Map([...tensors, ...[...pinned].map((name) => [name, expected.get(name) ?? tensors.get(name)!] as const)]); // prettier-ignore
        const sliced = new Map([...all].map(([name, tensor]) => [name, this.take(name, tensor)]));
        const got = await ofPruned(runSession(session, sliced, runtime));
        const explained = explain({
          ...{ masked: original, pins: this.pins, tensors: all, names: part.names, projection: this.input.projection },
          ...{ analysis: this.input.analysis, shapes: this.input.shapes, seed: this.input.seed, runtime },
        }); // prettier-ignore
        for (const name of part.names) {
          const [now, reference] = [got.get(nameIn(name))!, expected.get(name)!];
          const kept = this.keptOf(name, reference.dims);
          const disagreement = judge.compare(name, now, reference, kept);
          if (disagreement) {
            const why = await explained(name, disagreement, reference, kept);
            if (why === undefined) return disagreement.failure;
            if (!disagreement.channels) {
              judge.discard(name, why);
              this.skipped.push({ value: name, why });
            }
          }
          this.input.onCompared(name);
        }
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof PrunedModelError)) throw error;
      return { kind: 'load', value: '', node: '', op: '', message: error.message };
    } finally {
      await reference.release();
      await session?.release();
    }
  }

  private partOf(model: Model, part: Part): Model {
    return isCut(part) ? cutModel(model, part, this.input.shapes) : model;
  }

  private open(model: Model, names: readonly string[]): Promise<InferenceSession> {
    const { runtime, shapes } = this.input;
    return openSession(
      withExactProducts(model, (value) => shapes.dtypeOf(value)),
      names,
      runtime,
    );
  }

  /** What a part is fed: the graph's inputs, what the dense model can't compute, and where it is cut out what it reads. */
  private async feedsOf(part: Part | undefined, feed: Feed): Promise<ReadonlyMap<string, Tensor>> {
    const { runtime, seed } = this.input;
    const { tensors, shapes } = feed;
    let all = this.held.get(feed);
    if (!all) {
      const specs = [...this.madeUp.given].flatMap((name) => {
        const [dtype, shape] = [shapes.dtypeOf(name), shapes.of(name)];
        const isKnown = isFeedable(dtype) && shape?.every((dim) => dim !== undefined);
        return isKnown ? [{ name, dtype, shape }] : [];
      });
      all = new Map([...tensors, ...made(randomInputs(runtime, specs, seed))]);
      this.held.set(feed, all);
    }
    if (!part || !isCut(part)) return Promise.resolve(all);
    return Promise.resolve(new Map([...all, ...made(randomInputs(runtime, boundarySpecs(part, shapes), seed))])); // prettier-ignore
  }

  private masked({ shapes }: Feed): Model {
    const { analysis, dense, projection } = this.input;
    return maskedModel({
      ...{ analysis, projection, model: dense },
      shapeOf: (value) => shapes.of(value),
      dtypeOf: (value) => shapes.dtypeOf(value),
    });
  }

  /** Runs whose pruned axes have the same sizes share one masked model. */
  private groupByMasks(feeds: readonly Feed[]): Feed[][] {
    const { analysis, projection } = this.input;
    const groups = new Map<string, Feed[]>();
    for (const feed of feeds) {
      const sizes: (number | undefined)[] = [];
      for (const [value, axes] of analysis.axes)
        axes.forEach((axis, i) => {
          if (projection.of(axis).mask) sizes.push(feed.shapes.of(value)?.[i]);
        });
      const key = sizes.join();
      groups.set(key, [...(groups.get(key) ?? []), feed]);
    }
    return [...groups.values()];
  }

  private take(name: string, tensor: Tensor): Tensor {
    return sliceTensor(tensor, this.keptOf(name, tensor.dims));
  }

  private keptOf(name: string, dims: readonly number[]): Kept {
    const { analysis, projection } = this.input;
    const kept = new Map<number, Int32Array>();
    analysis.axes.get(name)?.forEach((axis, i) => {
      const { mask, after } = atSize(projection.of(axis), dims[i]);
      if (mask) kept.set(i, indicesOf(mask, after));
    });
    return kept;
  }
}
