import { emptyNamed } from '../onnx/named.js';
import type { InferenceSession, Tensor } from 'onnxruntime-common';
import type { Batch, BatchTensor } from '../data/batch.js';
import { isElementType, type Elements } from '../data/elements.js';
import { elementCount } from '../onnx/tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import { feedsOf } from '../runtime/tensors.js';

/** Outputs of one batch by name, of its valid examples only. */
export type Outputs = Readonly<Record<string, BatchTensor>>;

/** Runs one batch. Outputs that are no tensors of numbers (strings, sequences) are left out. */
export async function runBatch(runtime: Runtime, session: InferenceSession, batch: Batch): Promise<Outputs> {
  const results = await session.run(feedsOf(runtime, batch.inputs));
  const outputs = emptyNamed<BatchTensor>();
  for (const name of session.outputNames) {
    const result = results[name];
    if (result && isElementType(result.type)) {
      outputs[name] = firstRows(await toBatchTensor(result, result.type), batch.size, batch.valid);
    }
  }
  return outputs;
}

async function toBatchTensor(result: Tensor, dtype: BatchTensor['dtype']): Promise<BatchTensor> {
  const data = (await result.getData()) as Elements;
  // Where JavaScript has Float16Array onnxruntime returns it; batches carry the bits.
  const bits = dtype === 'float16' && !(data instanceof Uint16Array);
  return {
    dtype,
    dims: result.dims,
    data: bits ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data,
  };
}

/** Drops the rows that only fill up a fixed batch. Tensors without the batch axis stay whole. */
export function firstRows(tensor: BatchTensor, size: number, valid: number): BatchTensor {
  if (valid === size || tensor.dims[0] !== size) return tensor;
  const dims = [valid, ...tensor.dims.slice(1)];
  return { ...tensor, dims, data: tensor.data.subarray(0, elementCount(dims)) };
}

/** The batch without the examples that only fill it up. */
export function validPart(batch: Batch): Batch {
  const { size, valid, labels, extras } = batch;
  if (valid === size) return batch;
  const trim = (tensors: Readonly<Record<string, BatchTensor>>) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [name, firstRows(tensor, size, valid)]),
    );
  return {
    inputs: trim(batch.inputs),
    ...(labels ? { labels: labels.subarray(0, valid) } : {}),
    ...(extras ? { extras: trim(extras) } : {}),
    size: valid,
    valid,
  };
}
