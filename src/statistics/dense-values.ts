import type { Tensor as RuntimeTensor } from 'onnxruntime-common';
import type { Batch, DataSource } from '../data/batch.js';
import { partsOf } from '../data/slices.js';
import { PruneError, throwIfAborted } from '../errors.js';
import { encodeModel } from '../onnx/codec.js';
import { untypedInfos, withOutputs } from '../onnx/graph-model.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { bytesOf, feedsOf } from '../runtime/tensors.js';

/** What a model computes from one batch. */
export interface DenseValues {
  /** By name; the model's inputs too. */
  readonly found: Readonly<Record<string, RuntimeTensor>>;
  /** Number of the batch, from 0. */
  readonly batch: number;
  /** Examples of this batch, and how many of them count. */
  readonly size: number;
  readonly valid: number;
  readonly counted?: Batch['counted'];
}

/** Bytes of values that one batch may have. */
const mostBytes = 128 * 2 ** 20;

/**
 * Values of a model's main graph, inputs among them or not, batch by batch; of smaller batches where they are large.
 * @throws PruneError `invalid-data` without examples, `runtime`, `aborted`.
 */
export async function* denseValues(
  model: Model,
  names: Iterable<string>,
  {
    data,
    runtime,
    signal,
  }: { readonly data: DataSource; readonly runtime: Runtime; readonly signal?: AbortSignal | undefined },
): AsyncGenerator<DenseValues> {
  const fed = new Set(model.graph.inputs.map(({ name }) => name));
  const outputs = untypedInfos([...new Set(names)].filter((name) => !fed.has(name)));
  const session = await runtime.load(encodeModel(withOutputs(model, outputs)));
  let batch = 0;
  try {
    const run = async ({ inputs }: Batch): Promise<DenseValues['found']> => {
      const feeds = feedsOf(runtime, inputs);
      return { ...feeds, ...(await session.run(feeds)) };
    };
    let most = 0;
    for await (const whole of data) {
      if (most === 0) {
        const [first] = partsOf(whole, 1);
        most = Math.max(1, Math.floor((mostBytes * first!.size) / bytesOf(await run(first!))));
      }
      for (const part of partsOf(whole, most)) {
        throwIfAborted(signal);
        const { size, valid, counted } = part;
        yield { found: await run(part), batch: batch++, size, valid, ...(counted && { counted }) };
      }
    }
  } finally {
    await session.release();
  }
  if (batch === 0)
    throw new PruneError('invalid-data', `no examples in '${data.description}'; give at least one batch`);
}
