import { emptyNamed } from '../onnx/named.js';
import type { InferenceSession } from 'onnxruntime-common';
import type { AxisCoupling } from '../axes/couple.js';
import { nodeLabel } from '../axes/couple.js';
import { findConstants } from '../ops/constants.js';
import type { KeptMasks } from '../axes/project.js';
import { PruneError, throwIfAborted } from '../errors.js';
import type { Model } from '../onnx/model.js';
import { sliceTensor } from '../onnx/slice.js';
import { elementCount, type Tensor } from '../onnx/tensor.js';
import { atSize, indicesOf, predictShapes, Projection } from '../rewrite/projection.js';
import { randomInputs } from '../runtime/inputs.js';
import type { Runtime } from '../runtime/runtime.js';
import { fromRuntime, isFeedable } from '../runtime/tensors.js';
import { inferShapes, type Shapes } from '../shapes/shapes.js';
import {
  cancellation,
  deadBelow,
  defaultTolerance,
  difference,
  inheritedTolerances,
  smallestSizes,
} from './compare.js';
import { inputChange, moveInputs, moveRounded } from './conditioning.js';
import { maskedModel } from './masked.js';
import type { ProofFailure, ProofLevel, SkippedValue, VerifyReport } from './report.js';
import { chunks, ofPruned, openSession, PrunedModelError, runOriginal, runSession } from './run.js';
import { boundarySpecs, cutModel, cutsAround, type Cut } from './cut.js';
import { trialShapes } from './trial-sizes.js';
import { comparableValues, representativeValues } from './values.js';

export interface VerifyInput {
  readonly analysis: AxisCoupling;
  /** What was removed, as `keptMasks(plan)` gives it. */
  readonly masks: KeptMasks;
  /** The model that was sliced: the analysed one, maybe with other weights. */
  readonly dense: Model;
  readonly pruned: Model;
  /**
   * Where both models hold bodies of nodes opened up: the form of the file, of which the outputs are compared too, at
   * the levels `outputs` and `full`.
   */
  readonly folded?: { readonly pruned: Model; readonly fold: (model: Model) => Model } | undefined;
  /** Shapes of the dense model, those the analysis was made with. */
  readonly shapes: Shapes;
  readonly runtime: Runtime;
  readonly level: ProofLevel;
  /** Real inputs of the dense model, one set per run, besides the random ones. */
  readonly feeds?: Iterable<Readonly<Record<string, Tensor>>> | undefined;
  /** Of the random inputs. */
  readonly seed: number | string;
  /** Relative to the largest absolute value of a tensor. Default by dtype: see `defaultTolerance`. */
  readonly tolerance?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number, detail: string) => void) | undefined;
}

/** Random directions in which a value is moved: one may happen to cross none of the steps of a quantizer behind it. */
const maxMoves = 4;

/** Bytes of intermediate tensors held at a time. */
const heldBytes = 2 ** 30;

/**
 * Proves a pruned model: onnxruntime loads it, every static shape is as predicted, and it computes what the masked
 * original computes on the kept channels. A failed proof is a report with `passed: false`, not an error.
 * @throws PruneError `runtime` if the dense model doesn't run, `unsupported` if it can't be masked, `aborted`.
 */
export async function verify(input: VerifyInput): Promise<VerifyReport> {
  const start = performance.now();
  const proof = new Proof(input);
  const failure = await proof.run();
  const { runs, cuts, compared, maxError, worst, dead, skipped } = proof;
  return {
    passed: failure === undefined,
    level: input.level,
    failure,
    runs,
    cuts,
    compared,
    maxError,
    worst,
    dead: [...dead],
    skipped,
    milliseconds: performance.now() - start,
  };
}

interface Feed {
  readonly shapes: Shapes;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** A size of the symbolic dims that was tried out: the original may not run at it, whatever its inputs say. */
  readonly isTrial: boolean;
}

/** Values that are compared in one session each of both models: of the whole, or of a cut. */
type Part = Cut | { readonly names: readonly string[]; readonly boundary: undefined };

const isCut = (part: Part): part is Cut => part.boundary !== undefined;

/** A tensor that differs by `max`; NaN where that is no number. */
interface Disagreement {
  readonly failure: ProofFailure;
  readonly max: number;
}

function failureOf({ message }: Error): ProofFailure {
  return { kind: 'load', value: '', node: '', op: '', message };
}

class Proof {
  private feeds: readonly Feed[] = [];
  private readonly used = new Set<Feed>();
  cuts = 0;
  compared = 0;
  maxError = 0;
  worst: string | undefined = undefined;
  dead = new Set<string>();
  skipped: SkippedValue[] = [];
  private readonly alive = new Set<string>();
  private readonly scales = new Map<string, number>();
  private readonly smallest: ReadonlyMap<string, number>;
  private readonly inherited: ReadonlyMap<string, number>;
  private readonly inputsOf = new Map<string, readonly string[]>();
  private readonly projection: Projection;
  private done = 0;
  private total = 1;

  /** Input shapes of every run. */
  get runs(): Record<string, readonly number[]>[] {
    return this.feeds
      .filter((feed) => this.used.has(feed))
      .map(({ tensors }) => Object.fromEntries([...tensors].map(([name, { dims }]) => [name, dims])));
  }

  constructor(private readonly input: VerifyInput) {
    this.projection = new Projection(input.analysis.system, input.masks);
    this.smallest = smallestSizes(input.pruned.graph);
    this.inherited = inheritedTolerances(input.pruned.graph, (value) => input.shapes.dtypeOf(value));
    for (const { inputs, outputs } of input.pruned.graph.nodes)
      for (const name of outputs) this.inputsOf.set(name, inputs);
  }

  async run(): Promise<ProofFailure | undefined> {
    const { dense, shapes, runtime, level, signal, seed } = this.input;
    const variants = [shapes, ...(await trialShapes(dense, shapes, runtime, signal))];
    for (const variant of variants) {
      const failure = await this.checkShapes(variant);
      if (failure) return failure;
    }
    if (level === 'shapes') return undefined;

    const comparable = comparableValues(
      dense,
      this.input.pruned,
      (value) => shapes.dtypeOf(value),
      (value) => this.projection.isTouched(this.input.analysis.axes.get(value)),
    );
    this.skipped = comparable.unstable.map((value) => ({ value, why: 'it is behind a decision' }));
    const feeds = variants.map((variant): Feed => ({
      shapes: variant,
      tensors: this.randomFeeds(variant, seed),
      isTrial: variant !== shapes,
    }));
    for (const given of this.input.feeds ?? []) feeds.push(await this.givenFeeds(given));
    this.feeds = feeds;
    const { analysis, masks } = this.input;
    if (level === 'sample') return this.checkCuts(new Set(comparable.values), feeds);
    const representative = representativeValues(analysis, masks, comparable);
    const names = level === 'full' ? comparable.values : representative;
    // What mixes the batch with channels shows in any tensor behind it: the other size needs no full comparison.
    const passes: [readonly string[], Feed[]][] =
      level === 'full'
        ? [
            [names, feeds.filter(({ isTrial }) => !isTrial)],
            [representative, feeds.filter(({ isTrial }) => isTrial)],
          ]
        : [[names, feeds]];
    this.total = passes.reduce((total, [values, runs]) => total + values.length * runs.length, 0);
    for (const [values, runs] of passes)
      for (const alike of this.groupByMasks(runs)) {
        const failure = await this.checkValues(values, alike);
        if (failure) return failure;
      }
    const failure = await this.checkFolded(comparable.values);
    return failure ?? this.nothingCompared();
  }

  private nothingCompared(): ProofFailure | undefined {
    if (this.compared > 0 || this.input.masks.size === 0) return undefined;
    return failureOf(new Error('no float value of the model could be compared; there is no proof'));
  }

  /** Every value around every group, part by part; the rest of both models is never loaded. */
  private async checkCuts(
    comparable: ReadonlySet<string>,
    feeds: readonly Feed[],
  ): Promise<ProofFailure | undefined> {
    const { analysis, masks, shapes } = this.input;
    const cuts = cutsAround(analysis, masks, comparable, shapes);
    this.total = feeds.length * cuts.reduce((total, { names }) => total + names.length, 0);
    for (const alike of this.groupByMasks(feeds)) {
      const masked = this.masked(alike[0]!);
      for (const cut of cuts) {
        const failure = await this.comparePart(masked, this.input.pruned, cut, alike);
        if (failure) return failure;
      }
    }
    this.cuts = cuts.length;
    return this.nothingCompared();
  }

  /** Runs whose pruned axes have the same sizes share one masked model. */
  private groupByMasks(feeds: readonly Feed[]): Feed[][] {
    const groups = new Map<string, Feed[]>();
    for (const feed of feeds) {
      const sizes: (number | undefined)[] = [];
      for (const [value, axes] of this.input.analysis.axes)
        axes.forEach((axis, i) => {
          if (this.projection.of(axis).mask) sizes.push(feed.shapes.of(value)?.[i]);
        });
      const key = sizes.join();
      groups.set(key, [...(groups.get(key) ?? []), feed]);
    }
    return [...groups.values()];
  }

  private async checkShapes(variant: Shapes): Promise<ProofFailure | undefined> {
    const { pruned, analysis, runtime, signal } = this.input;
    const predicted = predictShapes(analysis, this.projection, (value) => variant.of(value));
    const inputs = emptyNamed<readonly number[]>();
    for (const name of variant.inputs.keys()) inputs[name] = predicted(name) as readonly number[];
    let actual: Shapes;
    try {
      actual = await inferShapes(pruned, runtime, { shapes: inputs, signal });
    } catch (error) {
      if (!(error instanceof PruneError) || error.code === 'aborted') throw error;
      return failureOf(error);
    }
    const [cut] = actual.unknownOps.slice(variant.unknownOps.length);
    if (cut) return { kind: 'load', value: '', node: cut.node, op: cut.op, message: cut.reason };
    const constants = findConstants(pruned.graph);
    const { graph } = pruned;
    for (const [index, node] of graph.nodes.entries())
      for (const value of node.outputs) {
        const want = constants.has(value) ? undefined : predicted(value);
        const got = actual.of(value);
        if (!want || !got) continue;
        const same =
          want.length === got.length &&
          want.every((dim, i) => dim === undefined || got[i] === undefined || dim === got[i]);
        if (same) continue;
        const message = `'${value}' has shape [${got.join(', ')}] instead of [${want.join(', ')}]`;
        return { kind: 'shape', value, node: nodeLabel(node, index), op: node.opType, message };
      }
    return undefined;
  }

  private randomFeeds(shapes: Shapes, seed: number | string): Map<string, Tensor> {
    const specs = [...shapes.inputs].map(([name, shape]) => {
      const dtype = shapes.dtypeOf(name);
      if (!isFeedable(dtype))
        throw new PruneError(
          'unsupported',
          `input '${name}' of type ${dtype ?? 'unknown'} can't be made up for the proof; pass --no-verify`,
        );
      return { name, dtype, shape };
    });
    const tensors = randomInputs(this.input.runtime, specs, seed);
    return new Map(Object.entries(tensors).map(([name, tensor]) => [name, fromRuntime(name, tensor)]));
  }

  private async givenFeeds(given: Readonly<Record<string, Tensor>>): Promise<Feed> {
    const { dense, runtime, signal } = this.input;
    const shapes = emptyNamed<readonly number[]>();
    for (const [name, { dims }] of Object.entries(given)) shapes[name] = dims;
    return {
      shapes: await inferShapes(dense, runtime, { shapes, signal }),
      tensors: new Map(Object.entries(given)),
      isTrial: false,
    };
  }

  /** The outputs of the models with their bodies closed. */
  private async checkFolded(comparable: readonly string[]): Promise<ProofFailure | undefined> {
    const { folded, dense } = this.input;
    if (!folded) return undefined;
    const outputs = new Set(dense.graph.outputs.map(({ name }) => name));
    const names = comparable.filter((name) => outputs.has(name));
    this.total += names.length * this.feeds.length;
    for (const feeds of this.groupByMasks(this.feeds)) {
      const masked = folded.fold(this.masked(feeds[0]!));
      const failure = await this.comparePart(masked, folded.pruned, { names, boundary: undefined }, feeds);
      if (failure) return failure;
    }
    return undefined;
  }

  private async checkValues(
    names: readonly string[],
    feeds: readonly Feed[],
  ): Promise<ProofFailure | undefined> {
    const masked = this.masked(feeds[0]!);
    // Two float32 copies at the largest size: the masked original's and the pruned model's.
    const elements = (name: string) => ({ shapes }: Feed) =>
      elementCount((shapes.of(name) ?? []).map((dim) => dim ?? 1)); // prettier-ignore
    const bytesOf = (name: string): number => 8 * Math.max(...feeds.map(elements(name)));
    for (const chunk of chunks(names, bytesOf, heldBytes)) {
      const part = { names: chunk, boundary: undefined };
      const failure = await this.comparePart(masked, this.input.pruned, part, feeds);
      if (failure) return failure;
    }
    return undefined;
  }

  private masked({ shapes }: Feed): Model {
    const { analysis, dense } = this.input;
    return maskedModel({
      analysis,
      projection: this.projection,
      model: dense,
      shapeOf: (value) => shapes.of(value),
      dtypeOf: (value) => shapes.dtypeOf(value),
    });
  }

  private open(model: Model, part: Part): Promise<InferenceSession> {
    const { shapes, runtime } = this.input;
    return openSession(isCut(part) ? cutModel(model, part, shapes) : model, part.names, runtime);
  }

  /** What a part is fed: the graph's inputs, and where it is cut out what it reads. */
  private feedsOf(part: Part, { tensors, shapes }: Feed): ReadonlyMap<string, Tensor> {
    if (!isCut(part)) return tensors;
    const made = randomInputs(this.input.runtime, boundarySpecs(part, shapes), this.input.seed);
    const boundary = Object.entries(made).map(([name, tensor]) => [name, fromRuntime(name, tensor)] as const);
    return new Map([...tensors, ...boundary]);
  }

  private async comparePart(
    masked: Model,
    pruned: Model,
    part: Part,
    feeds: readonly Feed[],
  ): Promise<ProofFailure | undefined> {
    const { runtime, signal } = this.input;
    const reference = await this.open(masked, part);
    let session: InferenceSession | undefined;
    try {
      session = await ofPruned(this.open(pruned, part));
      for (const feed of feeds) {
        throwIfAborted(signal);
        const tensors = this.feedsOf(part, feed);
        const expected = await runOriginal(reference, tensors, runtime, feed.isTrial);
        if (!expected) continue;
        this.used.add(feed);
        const sliced = new Map([...tensors].map(([name, tensor]) => [name, this.take(name, tensor)]));
        const got = await ofPruned(runSession(session, sliced, runtime));
        const moves: Promise<ReadonlyMap<string, Tensor>>[] = [];
        const moved = (turn: number) => (moves[turn] ??= this.runMoved(masked, part, tensors, turn));
        for (const name of part.names) {
          const disagreement = this.compare(name, got.get(name)!, expected.get(name)!);
          if (disagreement) {
            const isExplained = await this.isIllConditioned(name, disagreement, expected.get(name)!, moved);
            if (!isExplained) return disagreement.failure;
          }
          this.input.onProgress?.(++this.done, this.total, name);
        }
      }
      return undefined;
    } catch (error) {
      if (error instanceof PrunedModelError) return failureOf(error);
      throw error;
    } finally {
      await reference.release();
      await session?.release();
    }
  }

  private take(name: string, tensor: Tensor): Tensor {
    return sliceTensor(tensor, this.keptOf(name, tensor.dims));
  }

  private keptOf(name: string, dims: readonly number[]): Map<number, Int32Array> {
    const kept = new Map<number, Int32Array>();
    this.input.analysis.axes.get(name)?.forEach((axis, i) => {
      const { mask, after } = atSize(this.projection.of(axis), dims[i]);
      if (mask) kept.set(i, indicesOf(mask, after));
    });
    return kept;
  }

  /** What the original computes when everything moves by a few roundings. */
  private async runMoved(
    masked: Model,
    part: Part,
    tensors: ReadonlyMap<string, Tensor>,
    turn: number,
  ): Promise<ReadonlyMap<string, Tensor>> {
    const { runtime, shapes } = this.input;
    const seed = turn === 0 ? this.input.seed : `${this.input.seed}:${turn}`;
    const isFloat32 = (value: string): boolean => shapes.dtypeOf(value) === 'float32';
    const moved = moveRounded(masked, { isFloat32, normalized: this.behindStatistics(), seed });
    const session = await this.open(moved, part);
    try {
      return await runSession(session, moveInputs(tensors, seed), runtime);
    } finally {
      await session.release();
    }
  }

  /** What nodes write that take statistics over pruned channels, with the size of the last axis. */
  private behindStatistics(): Map<string, number> {
    const { analysis, shapes } = this.input;
    const found = new Map<string, number>();
    for (const { role, node, expression } of analysis.roles) {
      if (role !== 'normalize' || !this.projection.isTouched([expression])) continue;
      const value = analysis.model.graph.nodes[node]!.outputs[0]!;
      const size = shapes.of(value)?.at(-1);
      if (size !== undefined) found.set(value, size);
    }
    return found;
  }

  /** Whether the original moves at least as far as the pruned model differs, in one of a few random directions. */
  private async isIllConditioned(
    name: string,
    { max }: Disagreement,
    expected: Tensor,
    moved: (turn: number) => Promise<ReadonlyMap<string, Tensor>>,
  ): Promise<boolean> {
    if (Number.isNaN(max)) return false;
    const kept = this.keptOf(name, expected.dims);
    let movement = 0;
    for (let turn = 0; turn < maxMoves && !(movement >= max); turn++) {
      const other = sliceTensor((await moved(turn)).get(name)!, kept);
      movement = Math.max(movement, difference(other, expected, kept)?.max ?? 0);
    }
    if (!(movement >= max)) return false;
    this.compared--;
    const share = (movement / max).toPrecision(1);
    const why = `it is ill-conditioned: a change of ${inputChange} moves it ${share} times as far as it differs`;
    this.skipped.push({ value: name, why });
    return true;
  }

  private compare(name: string, pruned: Tensor, masked: Tensor): Disagreement | undefined {
    const found = difference(pruned, masked, this.keptOf(name, masked.dims));
    this.compared++;
    if (!found) {
      const what = `has shape [${pruned.dims.join(', ')}], which is not that of the kept channels`;
      return { failure: this.failure(name, what), max: NaN };
    }
    const { max, scale } = found;
    if (scale < deadBelow && max < deadBelow) {
      if (!this.alive.has(name)) this.dead.add(name);
      return undefined;
    }
    this.alive.add(name);
    this.dead.delete(name);
    const tolerance =
      this.input.tolerance ?? Math.max(defaultTolerance(masked.dtype), this.inherited.get(name) ?? 0);
    this.scales.set(name, scale);
    const terms = Math.max(0, ...(this.inputsOf.get(name) ?? []).map((term) => this.scales.get(term) ?? 0));
    const floor = this.smallest.get(name) ?? deadBelow;
    const error = max / Math.max(scale, cancellation * terms, floor);
    if (error <= tolerance) {
      if (error > this.maxError) {
        this.maxError = error;
        this.worst = name;
      }
      return undefined;
    }
    const what = Number.isNaN(max)
      ? 'holds NaN or infinity where the masked original has other numbers'
      : `differs from the masked original by ${max.toExponential(2)}, of at most ${scale.toExponential(2)}`;
    return { failure: this.failure(name, what), max };
  }

  private failure(value: string, what: string): ProofFailure {
    const { graph } = this.input.pruned;
    const index = graph.nodes.findIndex((node) => node.outputs.includes(value));
    const node = graph.nodes[index]!;
    return {
      kind: 'value',
      value,
      node: nodeLabel(node, index),
      op: node.opType,
      message: `'${value}' ${what}`,
    };
  }
}
