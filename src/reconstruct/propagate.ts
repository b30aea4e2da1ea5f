import type { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-common';
import type { Batch, DataSource } from '../data/batch.js';
import { PruneError, throwIfAborted } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import type { DataType } from '../onnx/data-type.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { bytesOf, feedsOf } from '../runtime/tensors.js';
import type { Counted } from '../statistics/counted-rows.js';
import { readKeys, segmentModel, writtenKeys } from './segment-model.js';
import { inputKeyOf, keyOf, type LayerTurn, type SolveOrder } from './solve-order.js';
import type { Weights } from '../edit/weights.js';

/** Values of one batch, by key. */
export type Activations = Readonly<Record<string, RuntimeTensor>>;

/** What a layer's rows are made of. */
export interface WaveBatch extends Counted {
  readonly values: Activations;
}

/** Takes what the layers of a wave read and should put out, batch by batch. */
export interface WaveSolver {
  /** Examples that are as good as any number more, judging by the first batch. */
  enough(first: WaveBatch): number;
  /** @param examples that are going to come altogether */
  add(batch: WaveBatch, number: number, examples: number): Promise<void>;
  /** Solves; changes weights. */
  finish(): Promise<void>;
}

export interface PropagateInput {
  readonly order: SolveOrder;
  readonly dense: Model;
  readonly data: DataSource;
  /** What has been solved so far, read anew for every wave. */
  readonly weights: Weights;
  readonly runtime: Runtime;
  readonly signal?: AbortSignal | undefined;
  readonly open: (turns: readonly LayerTurn[]) => WaveSolver;
  /** Bytes of activations that may be held between waves. Default 384 MiB. */
  readonly heldBytes?: number | undefined;
}

const defaultHeldBytes = 384 * 2 ** 20;

/** Waves that are computed again from the last values that were held, before fewer examples have to do. */
const mostAgain = 6;

/** Examples that are looked at where memory is short. */
const fewest = 32;

/**
 * Walks both models wave by wave over the data. What later waves read is held where there is room for it, of as many
 * examples as are of use (the early layers of a network for images have thousands of rows in each); else the next waves
 * compute it again from what was held last, or from the data.
 */
export async function propagate(input: PropagateInput): Promise<void> {
  const { order, data, signal } = input;
  const source = data.count === undefined ? await collected(data) : data;
  const walk = new Walk({ ...input, data: source });
  for (const [wave, turns] of order.waves.entries()) {
    throwIfAborted(signal);
    if (turns.length > 0) await walk.run(wave, turns);
  }
}

/** Batches that may come only once, in memory. */
async function collected(data: DataSource): Promise<DataSource> {
  const batches: Batch[] = [];
  for await (const batch of data) batches.push(batch);
  return {
    ...data,
    count: batches.reduce((sum, { size }) => sum + size, 0),
    // eslint-disable-next-line @typescript-eslint/require-await
    async *[Symbol.asyncIterator]() {
      yield* batches;
    },
  };
}

class Walk {
  /** The last wave whose values are held; −1 while everything comes from the data. */
  private heldWave = -1;
  private held: WaveBatch[] = [];
  private heldKeys: ReadonlySet<string> = new Set();
  /** By wave: what its layers read, and what later waves need of what there is by then. */
  private readonly reads: readonly ReadonlySet<string>[];
  private readonly live: readonly ReadonlySet<string>[];
  private readonly written: readonly ReadonlySet<string>[];

  constructor(private readonly input: PropagateInput) {
    const { order, dense } = input;
    this.reads = order.waves.map((turns) => readBy(turns, order));
    this.written = order.segments.map(
      (segment) =>
        new Set(nodesOf(segment).flatMap(([node, isMasked]) => writtenKeys(node, isMasked, order))),
    );
    const lastRead = new Map<string, number>();
    order.segments.forEach((segment, wave) => {
      const keys = nodesOf(segment).flatMap(([node, isMasked]) => readKeys(node, isMasked, order));
      for (const key of [...keys, ...this.reads[wave]!]) lastRead.set(key, wave);
    });
    const known = new Set(dense.graph.inputs.map(({ name }) => name));
    this.live = this.written.map((keys, wave) => {
      for (const key of keys) known.add(key);
      return new Set([...known].filter((key) => (lastRead.get(key) ?? -1) > wave));
    });
  }

  async run(wave: number, turns: readonly LayerTurn[]): Promise<void> {
    const { open, data, heldBytes = defaultHeldBytes } = this.input;
    const solver = open(turns);
    const live = this.live[wave]!;
    const total = data.count!;
    const held: WaveBatch[] = [];
    let examples = 0;
    let [wanted, isHeld] = [total, false];
    const keys = [...new Set([...this.reads[wave]!, ...live])];
    const session = new Lazy(this.input, this.heldWave + 1, wave, keys, this.written);
    try {
      for await (const batch of this.batches()) {
        const { values, size } = batch;
        const found = { ...values, ...(await session.run(values)) };
        if (examples === 0) {
          const bytes = bytesOf(pick(found, live)) / size;
          const room = Math.floor(heldBytes / Math.max(bytes, 1));
          const enough = Math.max(solver.enough({ ...batch, values: found }), room);
          // Far from what is held, computing it all again takes too long.
          const most = wave - this.heldWave >= mostAgain ? Math.max(room, fewest) : Infinity;
          wanted = Math.min(total, enough, most);
          isHeld = wanted <= room || most < Infinity;
        }
        await solver.add({ ...batch, values: found }, held.length, wanted);
        held.push({ ...batch, values: isHeld ? pick(found, live) : {} });
        examples += size;
        if (examples >= wanted) break;
      }
    } finally {
      await session.release();
    }
    if (examples === 0)
      throw new PruneError('invalid-data', `no examples in '${data.description}'; give at least one batch`);
    if (isHeld) {
      this.heldWave = wave;
      this.held = held;
      this.heldKeys = live;
    }
    await solver.finish();
  }

  /** What is held, then the rest of the data brought to where that is. */
  private async *batches(): AsyncGenerator<WaveBatch> {
    const { data, runtime, signal } = this.input;
    yield* this.held;
    const known = this.held.length;
    const again = new Lazy(this.input, 0, this.heldWave, [...this.heldKeys], this.written);
    let batch = 0;
    try {
      for await (const { inputs, size, valid, counted } of data) {
        throwIfAborted(signal);
        if (batch++ < known) continue;
        const rows: Counted = { size, valid, ...(counted && { counted }) };
        const fed = feedsOf(runtime, inputs);
        if (this.heldWave < 0) yield { ...rows, values: fed };
        else {
          const values = pick({ ...fed, ...(await again.run(fed)) }, this.heldKeys);
          this.held.push({ ...rows, values });
          yield { ...rows, values };
        }
      }
    } finally {
      await again.release();
    }
  }
}

/** A session of some segments, opened when the first batch tells the dtypes. */
class Lazy {
  private session: InferenceSession | undefined;
  private readonly outputs: readonly string[];

  constructor(
    private readonly input: PropagateInput,
    private readonly first: number,
    private readonly last: number,
    keys: readonly string[],
    written: readonly ReadonlySet<string>[],
  ) {
    const own = written.slice(first, last + 1);
    this.outputs = keys.filter((key) => own.some((writes) => writes.has(key)));
  }

  async run(values: Activations): Promise<Activations> {
    if (this.outputs.length === 0) return {};
    const { order, dense, weights, runtime } = this.input;
    if (!this.session) {
      const segments = order.segments.slice(this.first, this.last + 1);
      const dtypeOf = (key: string): DataType => values[key]!.type;
      const model = segmentModel(segments, this.outputs, dtypeOf, { order, dense, weights });
      this.session = await runtime.load(encodeModel(model));
    }
    return this.session.run(pick(values, this.session.inputNames));
  }

  async release(): Promise<void> {
    await this.session?.release();
  }
}

function nodesOf({ dense, masked }: SolveOrder['segments'][number]) {
  return [...dense.map((node) => [node, false] as const), ...masked.map((node) => [node, true] as const)];
}

function readBy(turns: readonly LayerTurn[], { differing }: SolveOrder): Set<string> {
  const read = new Set<string>();
  for (const { layer, hasShortcut } of turns) {
    read.add(inputKeyOf(differing, layer)).add(layer.y);
    const value = layer.shortcut?.value;
    if (hasShortcut && value !== undefined) read.add(value).add(keyOf(differing, value, true));
  }
  return read;
}

function pick(values: Activations, keys: Iterable<string>): Record<string, RuntimeTensor> {
  return Object.fromEntries([...keys].map((key) => [key, values[key]!]));
}
