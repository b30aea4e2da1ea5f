import type { InferenceSession } from 'onnxruntime-common';
import type { Batch, BatchTensor } from '../data/batch.js';
import { PruneError } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import { untypedInfos, withOutputs } from '../onnx/graph-model.js';
import type { Model } from '../onnx/model.js';
import { elementCount } from '../onnx/tensor.js';
import type { Provider, Runtime } from '../runtime/runtime.js';
import { feedsOf } from '../runtime/tensors.js';
import { gatherAlong } from './gather.js';
import { teacherKey } from './losses/loss.js';
import type { Drawn } from './passes.js';

export interface TeacherOptions {
  readonly model: Model;
  /** Values to return. */
  readonly names: readonly string[];
  /** By value, for each of its axes the positions that the student kept; undefined for axes that it kept whole. */
  readonly kept?: ReadonlyMap<string, readonly (Int32Array | undefined)[]> | undefined;
  /** Examples of the data whose values may be kept; undefined: every batch is run. */
  readonly count: number | undefined;
  /** Bytes that kept values may take; if all don't fit, every batch is run. */
  readonly memory: number;
  readonly runtime: Runtime;
  readonly threads?: number | undefined;
  readonly provider?: Provider | undefined;
}

/** Rows of one value, one an example, as they are met. */
interface Store {
  readonly rows: Float32Array;
  readonly dims: readonly number[];
}

/**
 * The dense model. Its values of an example are computed once and kept, where examples can be told and memory allows it,
 * else along with the student.
 */
export class Teacher {
  private session: InferenceSession | undefined;
  private readonly stores = new Map<string, Store>();
  private readonly known: Uint8Array;
  /** Whether values are kept; undefined before their size is known. */
  private keeps: boolean | undefined;

  constructor(private readonly options: TeacherOptions) {
    this.known = new Uint8Array(options.count ?? 0);
    if (options.count === undefined || options.names.length === 0) this.keeps = false;
  }

  /** The teacher's values for a batch, as extras that losses read. */
  async values({ batch, positions }: Drawn): Promise<Record<string, BatchTensor>> {
    if (this.options.names.length === 0) return {};
    if (
      this.keeps &&
      positions &&
      batch.size === batch.valid &&
      positions.every((at) => this.known[at] === 1)
    )
      return this.recall(positions);
    const values = await this.run(batch);
    if (positions && this.keeps !== false) this.keep(values, positions, batch);
    return values;
  }

  async release(): Promise<void> {
    await this.session?.release();
    this.session = undefined;
  }

  private async run(batch: Batch): Promise<Record<string, BatchTensor>> {
    const { runtime, threads, provider, names, kept } = this.options;
    this.session ??= await runtime.load(encodeModel(this.watching()), {
      ...(threads !== undefined && { threads }),
      ...(provider !== undefined && { provider }),
    });
    const found = await this.session.run(feedsOf(runtime, batch.inputs));
    return Object.fromEntries(
      names.map((name): [string, BatchTensor] => {
        const { data, dims, type } = found[name]!;
        if (type !== 'float32')
          throw new PruneError('unsupported', `value '${name}' of the dense model is of type ${type}; distil float32 values`); // prettier-ignore
        const value = { data: data as Float32Array, dims };
        return [teacherKey(name), { dtype: 'float32', ...gatherAlong(value, kept?.get(name) ?? []) }];
      }),
    );
  }

  private watching(): Model {
    const { model, names } = this.options;
    return withOutputs(model, untypedInfos(names));
  }

  private keep(values: Readonly<Record<string, BatchTensor>>, positions: Uint32Array, batch: Batch): void {
    this.keeps ??= this.canKeep(values, batch.size);
    if (!this.keeps) return;
    for (const [key, { data, dims }] of Object.entries(values)) {
      const own = dims.slice(1);
      const length = elementCount(own);
      let store = this.stores.get(key);
      if (!store) {
        store = { rows: new Float32Array(length * this.known.length), dims: own };
        this.stores.set(key, store);
      }
      if (own.join() !== store.dims.join()) {
        // Examples of different sizes: rows don't line up.
        this.keeps = false;
        this.stores.clear();
        return;
      }
      const { rows } = store;
      positions.forEach((at, i) => rows.set((data as Float32Array).subarray(i * length, (i + 1) * length), at * length)); // prettier-ignore
    }
    for (const at of positions) this.known[at] = 1;
  }

  private canKeep(values: Readonly<Record<string, BatchTensor>>, size: number): boolean {
    const all = Object.values(values);
    if (!all.every(({ dims }) => dims[0] === size)) return false;
    const bytes = all.reduce((sum, { data }) => sum + (4 * data.length) / size, 0) * this.known.length;
    return bytes <= this.options.memory;
  }

  private recall(positions: Uint32Array): Record<string, BatchTensor> {
    return Object.fromEntries(
      [...this.stores].map(([key, { rows, dims }]): [string, BatchTensor] => {
        const length = elementCount(dims);
        const data = new Float32Array(length * positions.length);
        positions.forEach((at, i) => data.set(rows.subarray(at * length, (at + 1) * length), i * length));
        return [key, { dtype: 'float32', dims: [positions.length, ...dims], data }];
      }),
    );
  }
}
