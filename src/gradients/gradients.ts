import { PruneError, throwIfAborted } from '../errors.js';
import type { DataSource } from '../data/batch.js';
import { isFloat } from '../onnx/data-type.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { resolveLoss, type LossSpec } from './losses.js';
import { GradientRunner } from './session.js';

export interface GradientOptions {
  /** Inputs, and labels or targets where the loss needs them. */
  readonly data: DataSource;
  /** Default `cross-entropy`. */
  readonly loss?: LossSpec | undefined;
  /** Names of float32 values: initializers, Constant outputs, graph inputs, intermediates. Default: all float initializers. */
  readonly wrt?: readonly string[] | undefined;
  readonly runtime: Runtime;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onBatch?: ((examples: number) => void) | undefined;
}

export interface GradientResult {
  /** Mean over all examples. */
  readonly loss: number;
  /** Gradient of that mean by name, of the value's own shape; zeros where the loss doesn't depend on it. */
  readonly gradients: ReadonlyMap<string, Float32Array>;
  readonly examples: number;
}

/**
 * The gradient of a loss over data, by any values of the model. A value whose shape has the batch in it (an input, an
 * intermediate) can be asked for with a single batch only.
 * @throws PruneError `unsupported` listing the ops that no rule knows, before anything runs; `invalid-data`; `aborted`.
 */
export async function gradients(model: Model, options: GradientOptions): Promise<GradientResult> {
  const { data, loss = 'cross-entropy', runtime, threads, signal, onBatch } = options;
  const wrt = options.wrt ?? floatInitializers(model);
  const runner = new GradientRunner({ model, runtime, loss: resolveLoss(loss), wrt, threads, signal });
  const sums = new Map<string, Float32Array>();
  let total = 0;
  let examples = 0;
  try {
    for await (const batch of data) {
      throwIfAborted(signal);
      const found = await runner.run(batch);
      total += found.loss * batch.valid;
      examples += batch.valid;
      for (const [name, gradient] of found.gradients) accumulate(sums, name, gradient, batch.valid);
      onBatch?.(examples);
    }
  } finally {
    await runner.release();
  }
  if (examples === 0) throw new PruneError('invalid-data', 'the data has no examples; give at least one');
  const sizes = new Map(
    model.graph.initializers.map(({ name, dims }) => [name, dims.reduce((a, b) => a * b, 1)]),
  );
  const means = new Map<string, Float32Array>();
  for (const name of wrt) {
    const sum = sums.get(name);
    means.set(name, sum ? sum.map((value) => value / examples) : new Float32Array(sizes.get(name) ?? 0));
  }
  return { loss: total / examples, gradients: means, examples };
}

function accumulate(
  sums: Map<string, Float32Array>,
  name: string,
  gradient: Float32Array,
  weight: number,
): void {
  let sum = sums.get(name);
  if (!sum) sums.set(name, (sum = new Float32Array(gradient.length)));
  if (sum.length !== gradient.length)
    throw new PruneError(
      'invalid-option',
      `the size of '${name}' varies between batches; ask for it with one batch`,
    );
  for (let i = 0; i < sum.length; i++) sum[i]! += weight * gradient[i]!;
}

function floatInitializers({ graph }: Model): string[] {
  return graph.initializers.filter(({ dtype }) => isFloat(dtype)).map(({ name }) => name);
}
