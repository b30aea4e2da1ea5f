import type { InferenceSession } from 'onnxruntime-common';
import type { Batch, DataSource } from '../data/batch.js';
import { PruneError, throwIfAborted } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import type { Model } from '../onnx/model.js';
import { assertProvider } from '../runtime/providers.js';
import type { Provider, Runtime, SessionOptions } from '../runtime/runtime.js';
import { feedsOf } from '../runtime/tensors.js';
import { AccuracyCounter, classScores, type Accuracy } from './classification.js';
import { DifferenceCounter, type Agreement, type Flip, type OutputDifference } from './difference.js';
import { MetricMean, type Metric } from './metric.js';
import { runBatch, validPart, type Outputs } from './outputs.js';

export interface EvaluateOptions {
  readonly runtime: Runtime;
  readonly data: DataSource;
  /** Compare outputs with this model's, on the same batches. */
  readonly reference?: Model | undefined;
  /** Judges a batch by its outputs; the result is the mean over examples. */
  readonly metric?: Metric | undefined;
  /** The output with class scores. Default: the first of shape [batch, classes]. */
  readonly output?: string | undefined;
  /** Default `cpu`. */
  readonly provider?: Provider | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after every batch with the examples so far; `total` where the data knows it. */
  readonly onProgress?:
    ((progress: { readonly done: number; readonly total: number | undefined }) => void) | undefined;
}

export interface EvaluateResult {
  readonly examples: number;
  readonly data: string;
  readonly provider: Provider;
  /** Examples a second through the model alone: neither reading of data nor the reference count. */
  readonly examplesPerSecond: number;
  /** Where the data has labels and an output has class scores. */
  readonly accuracy?: Accuracy;
  /** One an output, where there is a reference. */
  readonly differences?: readonly OutputDifference[];
  /** Where there is a reference and an output has class scores. */
  readonly agreement?: Agreement;
  /** The examples that the two models put into different classes, in order; where there is an agreement. */
  readonly flips?: readonly Flip[];
  /** What the metric returned, under its names (`metric` for a plain number). */
  readonly metrics?: Readonly<Record<string, number>>;
}

/**
 * Runs a model over data: top-1 against labels, output differences against a reference model, any metric.
 * @throws PruneError `invalid-data` for data that doesn't fit, for none at all, and for labels without class scores
 * (unless a metric or a reference asks for something else); `runtime` where onnxruntime fails.
 */
export async function evaluate(model: Model, options: EvaluateOptions): Promise<EvaluateResult> {
  const { runtime, data, provider = 'cpu', threads } = options;
  throwIfAborted(options.signal);
  const bytes = encodeModel(model);
  const session: SessionOptions = { provider, ...(threads === undefined ? {} : { threads }) };
  const loaded = await runtime.load(bytes, session);
  let reference: InferenceSession | undefined;
  try {
    if (options.reference) reference = await runtime.load(encodeModel(options.reference), session);
    const run = new Evaluation(options);
    for await (const batch of data) {
      throwIfAborted(options.signal);
      if (run.examples === 0 && provider !== 'cpu') await checkProvider(bytes, batch, options, session);
      await run.step(loaded, reference, batch);
    }
    return run.result();
  } finally {
    await loaded.release();
    await reference?.release();
  }
}

/** onnxruntime falls back to the CPU silently; figures must not pass for another provider's. */
async function checkProvider(
  bytes: Uint8Array,
  batch: Batch,
  { runtime, provider = 'cpu' }: EvaluateOptions,
  session: SessionOptions,
): Promise<void> {
  assertProvider(await runtime.profile(bytes, feedsOf(runtime, batch.inputs), session), provider);
}

class Evaluation {
  examples = 0;
  private milliseconds = 0;
  private readonly accuracy = new AccuracyCounter();
  private readonly difference = new DifferenceCounter();
  private readonly metric: MetricMean | undefined;

  constructor(private readonly options: EvaluateOptions) {
    this.metric = options.metric && new MetricMean(options.metric);
  }

  async step(
    session: InferenceSession,
    reference: InferenceSession | undefined,
    batch: Batch,
  ): Promise<void> {
    const { runtime, data, onProgress } = this.options;
    const start = performance.now();
    const outputs = await runBatch(runtime, session, batch);
    this.milliseconds += performance.now() - start;
    this.judge(outputs, batch);
    if (reference) this.compare(outputs, await runBatch(runtime, reference, batch), batch);
    await this.metric?.add(outputs, validPart(batch));
    this.examples += batch.valid;
    onProgress?.({ done: this.examples, total: data.count });
  }

  private judge(outputs: Outputs, batch: Batch): void {
    if (!batch.labels) return;
    const { output, metric, reference } = this.options;
    const scores = classScores(outputs, batch.valid, output);
    if (scores) return this.accuracy.add(scores, batch);
    if (metric || reference) return;
    const names = Object.keys(outputs).join(', ');
    throw new PruneError(
      'invalid-data',
      `no output of shape [batch, classes] for the labels among ${names}; pass a metric`,
    );
  }

  private compare(outputs: Outputs, reference: Outputs, batch: Batch): void {
    this.difference.add(outputs, reference);
    const scores = classScores(outputs, batch.valid, this.options.output);
    const expected = scores && classScores(reference, batch.valid, scores.output);
    if (scores && expected) this.difference.addScores(scores, expected, batch);
  }

  result(): EvaluateResult {
    const { data, reference, provider = 'cpu' } = this.options;
    if (this.examples === 0) {
      throw new PruneError('invalid-data', `no examples in '${data.description}'; give at least one batch`);
    }
    const accuracy = this.accuracy.result();
    const [agreement, flips] = [this.difference.agreement(), this.difference.flips()];
    return {
      examples: this.examples,
      data: data.description,
      provider,
      examplesPerSecond: this.examples / (this.milliseconds / 1000),
      ...(accuracy ? { accuracy } : {}),
      ...(reference ? { differences: this.difference.differences() } : {}),
      ...(agreement ? { agreement } : {}),
      ...(flips ? { flips } : {}),
      ...(this.metric ? { metrics: this.metric.result() } : {}),
    };
  }
}
