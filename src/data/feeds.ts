import { emptyNamed } from '../onnx/named.js';
import type { Tensor } from '../onnx/tensor.js';
import { rawTensor } from '../onnx/values.js';
import type { DataSource } from './batch.js';

/** The inputs of the first batch as constants, by graph input: one run of the proof; none of an empty source. */
export async function firstFeeds(data: DataSource): Promise<Record<string, Tensor>[]> {
  for await (const { inputs } of data) {
    const feeds = emptyNamed<Tensor>();
    for (const [name, { dtype, dims, data: elements }] of Object.entries(inputs)) {
      const { buffer, byteOffset, byteLength } = elements;
      feeds[name] = rawTensor(name, dtype, dims, new Uint8Array(buffer, byteOffset, byteLength));
    }
    return [feeds];
  }
  return [];
}
