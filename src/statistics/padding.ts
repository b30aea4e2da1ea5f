import type { InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-common';
import type { Batch, BatchTensor, DataSource } from '../data/batch.js';
import type { Elements } from '../data/elements.js';
import { encodeModel } from '../onnx/codec.js';
import type { Model } from '../onnx/model.js';
import { elementCount } from '../onnx/tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import { feedsOf } from '../runtime/tensors.js';
import { countedRows } from './counted-rows.js';

/** Changes of an output, relative to its largest value, that are rounding. */
const rounding = 1e-4;

/**
 * The input that says which steps of a sequence are padding: zeros and ones [examples, steps], where what other inputs
 * hold at zeros changes nothing at ones, but would if there were ones everywhere. Found by running the model, so it
 * doesn't matter by which ops a model masks. Undefined if there is none, or none in the first batch.
 */
export async function findPadding(
  model: Model,
  data: DataSource,
  runtime: Runtime,
): Promise<string | undefined> {
  const batch = await firstOf(data);
  const candidates = batch ? Object.keys(batch.inputs).filter((name) => isMaskLike(name, batch)) : [];
  if (!batch || candidates.length === 0) return undefined;
  const session = await runtime.load(encodeModel(model));
  try {
    for (const name of candidates) {
      const masked = await change(batch, name, session, runtime);
      const ones = { ...batch.inputs[name]!, data: filled(batch.inputs[name]!.data) };
      const open = { ...batch, inputs: { ...batch.inputs, [name]: ones } };
      if (masked < rounding && (await change(open, name, session, runtime, batch)) > rounding) return name;
    }
  } finally {
    await session.release();
  }
  return undefined;
}

/** The data with the mask as what counts of every batch. */
export function withPadding(data: DataSource, mask: string): DataSource {
  return {
    ...data,
    async *[Symbol.asyncIterator]() {
      for await (const batch of data) yield { ...batch, counted: batch.inputs[mask]! };
    },
  };
}

async function firstOf(data: DataSource): Promise<Batch | undefined> {
  for await (const batch of data) return batch;
  return undefined;
}

function isMaskLike(name: string, { inputs, size }: Batch): boolean {
  const { dims, data } = inputs[name]!;
  if (dims.length !== 2 || dims[0] !== size || dims[1]! < 2) return false;
  let ones = 0;
  for (const value of data) {
    const number = Number(value);
    if (number !== 0 && number !== 1) return false;
    ones += number;
  }
  return ones > 0 && ones < data.length;
}

/** By how much outputs change at steps that count if other inputs change at those that don't. */
async function change(
  batch: Batch,
  mask: string,
  session: InferenceSession,
  runtime: Runtime,
  masked = batch,
): Promise<number> {
  const counted = masked.inputs[mask]!;
  const inputs = Object.fromEntries(
    Object.entries(batch.inputs).map(([name, tensor]) => [
      name,
      name === mask ? tensor : disturbed(tensor, counted),
    ]),
  );
  const before = await session.run(feedsOf(runtime, batch.inputs));
  const after = await session.run(feedsOf(runtime, inputs));
  return Math.max(
    0,
    ...session.outputNames.map((name) => largestChange(before[name]!, after[name]!, { ...batch, counted })),
  );
}

/** Values at steps that don't count are taken from steps that do: they are legal, whatever they mean. */
function disturbed(tensor: BatchTensor, mask: BatchTensor): BatchTensor {
  const steps = elementCount(mask.dims);
  const isStepwise = tensor.dims[0] === mask.dims[0] && tensor.dims[1] === mask.dims[1];
  if (!isStepwise) return tensor;
  const data = tensor.data.slice() as Float32Array;
  const width = data.length / steps;
  const sources = Array.from({ length: steps }, (_, i) => i).filter((i) => mask.data[i]! > 0);
  let next = 0;
  for (let step = 0; step < steps; step++) {
    if (mask.data[step]! > 0) continue;
    const source = sources[(next += 7) % sources.length]!;
    data.set((tensor.data as Float32Array).subarray(source * width, (source + 1) * width), step * width);
  }
  return { ...tensor, data: data };
}

function largestChange(before: RuntimeTensor, after: RuntimeTensor, batch: Batch): number {
  const [a, b] = [before.data, after.data];
  if (!(a instanceof Float32Array) || !(b instanceof Float32Array) || a.length !== b.length) return 0;
  const { dims } = before;
  const width = dims.length > 1 ? dims.at(-1)! : 1;
  const rows = countedRows(batch, dims, a.length / width);
  let [change, largest] = [0, 0];
  const visit = (row: number): void => {
    for (let i = row * width; i < (row + 1) * width; i++) {
      change = Math.max(change, Math.abs(a[i]! - b[i]!));
      largest = Math.max(largest, Math.abs(a[i]!));
    }
  };
  if (rows) rows.forEach(visit);
  else for (let row = 0; row < a.length / width; row++) visit(row);
  return largest > 0 ? change / largest : 0;
}

function filled(data: Elements): Elements {
  const ones = data.slice();
  if (ones instanceof BigInt64Array || ones instanceof BigUint64Array) ones.fill(1n);
  else (ones as Float32Array).fill(1);
  return ones;
}
