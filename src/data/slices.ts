import { elementCount } from '../onnx/tensor.js';
import type { Batch, BatchTensor, DataSource } from './batch.js';

/** Whether a batch can be taken apart: all that it holds counts examples on the first axis. */
function isDivisible({ inputs, size }: Batch): boolean {
  return size > 1 && Object.values(inputs).every(({ dims }) => dims[0] === size);
}

/** Examples [from, to) of a batch. */
function sliceBatch(batch: Batch, from: number, to: number): Batch {
  const cut = (tensor: BatchTensor): BatchTensor => {
    const width = elementCount(tensor.dims.slice(1));
    const dims = [to - from, ...tensor.dims.slice(1)];
    return { ...tensor, dims, data: tensor.data.subarray(from * width, to * width) };
  };
  const all = (tensors: Batch['inputs']): Batch['inputs'] =>
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, cut(tensor)]));
  return {
    ...batch,
    inputs: all(batch.inputs),
    ...(batch.labels && { labels: batch.labels.subarray(from, to) }),
    ...(batch.extras && { extras: all(batch.extras) }),
    ...(batch.counted && { counted: cut(batch.counted) }),
    size: to - from,
    valid: Math.max(1, Math.min(batch.valid, to) - from),
  };
}

/** A batch in parts of at most `size` examples; itself where it can't be taken apart. */
export function partsOf(batch: Batch, size: number): readonly Batch[] {
  if (batch.size <= size || !isDivisible(batch)) return [batch];
  const parts: Batch[] = [];
  for (let at = 0; at < batch.valid; at += size)
    parts.push(sliceBatch(batch, at, Math.min(at + size, batch.valid)));
  return parts;
}

/**
 * Examples [from, to) of a source, in batches of at most `size`, where the model's inputs can be taken apart; else whole
 * batches, each in or out by its first example. Examples that only fill up a batch stay with it.
 */
export function examplesOf(
  data: DataSource,
  from: number,
  to: number,
  size = Infinity,
  isFixed = false,
): DataSource {
  return {
    ...data,
    ...(data.count !== undefined && { count: Math.max(0, Math.min(data.count, to) - from) }),
    async *[Symbol.asyncIterator]() {
      let start = 0;
      for await (const batch of data) {
        if (start >= to) break;
        const end = start + batch.size;
        if (isFixed || !isDivisible(batch)) {
          if (start >= from && start < to) yield batch;
        } else {
          const last = Math.min(batch.valid, to - start);
          for (let at = Math.max(0, from - start); at < last; at += size)
            yield sliceBatch(batch, at, Math.min(at + size, last));
        }
        start = end;
      }
    },
  };
}
