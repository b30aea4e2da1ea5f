import type { Batch, BatchTensor, DataSource } from '../data/batch.js';
import { PruneError, throwIfAborted } from '../errors.js';
import { resolveLoss, type Loss, type LossSpec } from '../gradients/losses.js';
import { GradientRunner } from '../gradients/session.js';
import { encodeModel } from '../onnx/codec.js';
import type { DataType } from '../onnx/data-type.js';
import { rankedInfo } from '../onnx/graph-model.js';
import type { Model } from '../onnx/model.js';
import { encodeFloats, type FloatType } from '../onnx/values.js';
import { FreshNames } from '../onnx/names.js';
import type { Runtime } from '../runtime/runtime.js';
import { feedsOf, fromRuntime, isFeedable } from '../runtime/tensors.js';
import type { Branch } from './branches.js';
import { gateBranches } from './remove.js';

export interface DepthLossOptions {
  readonly runtime: Runtime;
  readonly data: DataSource;
  /** Default: `kl` from the dense model's outputs, with labels or without. */
  readonly loss?: LossSpec | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each batch with the examples so far. */
  readonly onBatch?: ((examples: number) => void) | undefined;
}

/**
 * The loss of a model without some of its branches. One session serves all: every branch is multiplied by a scalar
 * that is fed, 1 or 0. `kl` and `mse` are taken from the dense model's outputs unless the data has targets. A model's
 * own decisions as labels (`pseudo-labels`) would follow whatever is removed: `kl` stands for them. To be released.
 */
export class DepthLoss {
  readonly loss: Loss;
  private readonly runner: GradientRunner;
  private readonly gates = new Map<Branch, { readonly name: string; readonly dtype: 'float16' | 'float32' | 'float64' }>(); // prettier-ignore
  private dense: Awaited<ReturnType<Runtime['load']>> | undefined;

  constructor(
    private readonly model: Model,
    branches: readonly Branch[],
    dtypeOf: (value: string) => DataType | undefined,
    private readonly options: DepthLossOptions,
  ) {
    const { runtime, signal } = options;
    const asked = options.loss ?? 'kl';
    const loss = resolveLoss(asked);
    this.loss = loss.name === 'pseudo-labels' ? resolveLoss(targetless(asked)) : loss;
    const names = new FreshNames(model.graph);
    for (const branch of branches) {
      const dtype = dtypeOf(branch.value);
      if (!isFeedable(dtype) || (dtype !== 'float32' && dtype !== 'float16' && dtype !== 'float64'))
        throw new PruneError(
          'unsupported',
          `branch '${branch.name}' of type ${dtype ?? 'unknown'} can't be scored by loss; score by similarity`,
        );
      this.gates.set(branch, { name: names.take(`${branch.value}_gate`), dtype });
    }
    const gated = gateBranches(model, branches, dtypeOf, (branch) => this.gates.get(branch)!.name);
    const { graph } = gated;
    const inputs = [...this.gates.values()].map(({ name, dtype }) => rankedInfo(name, dtype, 0));
    this.runner = new GradientRunner({
      model: { ...gated, graph: { ...graph, inputs: [...graph.inputs, ...inputs] } },
      runtime,
      loss: this.loss,
      wrt: [],
      signal,
    });
  }

  /** Mean losses over the data without each of several sets of branches: one pass over the data. */
  async without(sets: readonly ReadonlySet<Branch>[]): Promise<Float64Array> {
    const { data, signal, onBatch } = this.options;
    const sums = new Float64Array(sets.length);
    let examples = 0;
    for await (const batch of data) {
      const targeted = await this.withTarget(batch);
      for (const [i, removed] of sets.entries()) {
        throwIfAborted(signal);
        const inputs = { ...targeted.inputs, ...this.feeds(removed) };
        const { loss } = await this.runner.run({ ...targeted, inputs });
        sums[i]! += loss * batch.valid;
      }
      examples += batch.valid;
      onBatch?.(examples);
    }
    if (examples === 0) throw new PruneError('invalid-data', 'the data has no examples; give at least one');
    return sums.map((sum) => sum / examples);
  }

  async release(): Promise<void> {
    await this.runner.release();
    await this.dense?.release();
  }

  private feeds(removed: ReadonlySet<Branch>): Record<string, BatchTensor> {
    return Object.fromEntries(
      [...this.gates].map(([branch, { name, dtype }]) => [
        name,
        { dtype, dims: [], data: scalar(removed.has(branch) ? 0 : 1, dtype) },
      ]),
    );
  }

  /** The batch with the dense model's own output to be held against, where the loss needs one. */
  private async withTarget(batch: Batch): Promise<Batch> {
    if (this.loss.name !== 'kl' && this.loss.name !== 'mse') return batch;
    const { loss, runtime } = this.options;
    const { output, target = 'target' } =
      typeof loss === 'object' && !('emit' in loss) ? loss : { output: undefined };
    if (batch.extras?.[target]) return batch;
    this.dense ??= await runtime.load(encodeModel(this.model));
    const results = await this.dense.run(feedsOf(runtime, batch.inputs));
    const found = this.dense.outputNames.find((name) =>
      output === undefined
        ? results[name]!.type === 'float32' && results[name]!.dims.length >= 2
        : name === output,
    );
    // The loss itself says what is wrong where there is no such output.
    if (found === undefined) return batch;
    const { dims, data } = fromRuntime(found, results[found]!);
    const elements = new Float32Array(data.bytes().slice().buffer);
    return {
      ...batch,
      extras: { ...batch.extras, [target]: { dtype: 'float32', dims, data: elements } },
    };
  }
}

/** The same loss settings with `kl` in the place of `pseudo-labels`. */
function targetless(spec: LossSpec): LossSpec {
  return typeof spec === 'object' && !('emit' in spec) ? { ...spec, loss: 'kl' } : 'kl';
}

function scalar(value: number, dtype: FloatType & BatchTensor['dtype']): BatchTensor['data'] {
  if (dtype === 'float32') return Float32Array.of(value);
  if (dtype === 'float64') return Float64Array.of(value);
  return new Uint16Array(encodeFloats([value], dtype).slice().buffer);
}
