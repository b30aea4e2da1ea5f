import { emptyNamed } from '../onnx/named.js';
import { PruneError } from '../errors.js';
import { elementCount } from '../onnx/tensor.js';
import { arrayExamples } from './arrays.js';
import type { Batch, BatchTensor, DataSource, Examples, ModelInput } from './batch.js';
import { convertElements, elementTypeOf, holds, type Elements, type ElementType } from './elements.js';
import { batchSize, checkBatch, fixedBatch } from './inputs.js';
import { checkLabelCount, toLabels } from './labels.js';
import type { BatchOptions, DrawOptions, NormalizationOptions } from './options.js';
import { drawOrder } from './order.js';

/** Draws, orders and batches examples. Every pass gives the same batches. */
export function batchExamples(
  examples: Examples,
  inputs: readonly ModelInput[],
  options: DrawOptions & BatchOptions = {},
): DataSource {
  if (examples.count === 0) {
    throw new PruneError('invalid-data', `no examples in '${examples.description}'; give at least one`);
  }
  const size = batchSize(inputs, examples.elementsPerExample, options.batch);
  const fixed = fixedBatch(inputs) !== undefined;
  const order = drawOrder(examples.count, examples.labels, options);
  const { draw = 'first', seed = 0 } = options;
  const taken = order.length === examples.count ? `${order.length}` : `${order.length} of ${examples.count}`;
  const read = (indices: Uint32Array): Promise<Batch> =>
    readBatch(examples, inputs, fixed ? padded(indices, size) : indices, indices.length);
  const drawn = draw === 'first' ? `${taken} examples` : `${taken} examples (${draw}, seed ${seed})`;
  return {
    count: order.length,
    labelled: examples.labels !== undefined,
    description: `${examples.description}, ${drawn}`,
    read: (positions) => read(positions.map((position) => order[position]!)),
    async *[Symbol.asyncIterator]() {
      for (let start = 0; start < order.length; start += size)
        yield await read(order.subarray(start, start + size));
    },
  };
}

function padded(indices: Uint32Array, size: number): Uint32Array {
  if (indices.length === size) return indices;
  const full = new Uint32Array(size).fill(indices.at(-1)!);
  full.set(indices);
  return full;
}

async function readBatch(
  examples: Examples,
  inputs: readonly ModelInput[],
  indices: Uint32Array,
  valid: number,
): Promise<Batch> {
  const fed = emptyNamed<BatchTensor>();
  const extras = emptyNamed<BatchTensor>();
  for (const [name, tensor] of Object.entries(await examples.read(indices))) {
    (inputs.some((input) => input.name === name) ? fed : extras)[name] = tensor;
  }
  const { labels } = examples;
  const batch: Batch = {
    inputs: fed,
    ...(labels ? { labels: Int32Array.from(indices, (index) => labels[index]!) } : {}),
    ...(Object.keys(extras).length ? { extras } : {}),
    size: indices.length,
    valid,
  };
  checkBatch(batch, inputs);
  return batch;
}

/** A tensor as callers have it: the dtype is read off the array (Uint16Array for a float16 input: its bits). */
export interface LooseTensor {
  readonly data: Elements;
  readonly dims: readonly number[];
  readonly dtype?: ElementType;
}

function tightened(tensor: LooseTensor, input: ModelInput | undefined): BatchTensor {
  const { data, dims } = tensor;
  const dtype = tensor.dtype ?? (input && holds(data, input.dtype) ? input.dtype : elementTypeOf(data));
  if (dtype === 'bool') convertElements(data, 'uint8', 'bool', input?.name ?? 'extra'); // throws beyond 0 and 1
  return { dtype, dims, data };
}

/**
 * Data from arrays in memory, by graph input name; the first axis counts examples.
 * @throws PruneError `invalid-data` for arrays that don't fit the model.
 */
export function dataFromArrays(
  arrays: Readonly<Record<string, LooseTensor>>,
  inputs: readonly ModelInput[],
  options: DrawOptions &
    BatchOptions &
    NormalizationOptions & { readonly labels?: ArrayLike<number | bigint> } = {},
): DataSource {
  const columns = new Map<string, BatchTensor>();
  for (const [name, array] of Object.entries(arrays)) {
    if (elementCount(array.dims) !== array.data.length) {
      const got = `array '${name}' has ${array.data.length} elements`;
      throw new PruneError(
        'invalid-data',
        `${got}, its shape [${array.dims.join(', ')}] ${elementCount(array.dims)}; give all`,
      );
    }
    columns.set(name, tightened(array, inputs.find((input) => input.name === name))); // prettier-ignore
  }
  const examples = arrayExamples(columns, inputs, options, 'arrays');
  const labels = options.labels && toLabels(options.labels, 'labels');
  if (labels) checkLabelCount(labels, examples.count, 'labels');
  return batchExamples({ ...examples, ...(labels ? { labels } : {}) }, inputs, options);
}

/** A batch as callers have it. */
export interface LooseBatch {
  readonly inputs: Readonly<Record<string, LooseTensor>>;
  readonly labels?: ArrayLike<number | bigint>;
  readonly extras?: Readonly<Record<string, LooseTensor>>;
  /** Default: the first dim of the first input. */
  readonly size?: number;
  /** Default: `size`. */
  readonly valid?: number;
}

/**
 * Data from ready batches: text, video or anything else a program can produce, also a stream, which can be read once.
 * Each batch is checked against the model when its turn comes.
 */
export function dataFromBatches(
  batches: AsyncIterable<LooseBatch> | Iterable<LooseBatch>,
  inputs: readonly ModelInput[],
  description = 'batches',
): DataSource {
  return onlyOnce(
    {
      description,
      async *[Symbol.asyncIterator]() {
        for await (const batch of batches) yield tightenedBatch(batch, inputs);
      },
    },
    batches,
  );
}

/**
 * The same data, which says so where it is read again though it can be read only once: a generator gives nothing the
 * second time, and what was measured would silently be of no examples.
 * @param batches where the data comes from
 */
export function onlyOnce(
  data: DataSource,
  batches: AsyncIterable<unknown> | Iterable<unknown> = data,
): DataSource {
  if (!isOneShot(batches)) return data;
  let isRead = false;
  return {
    ...data,
    [Symbol.asyncIterator]() {
      if (isRead)
        throw new PruneError(
          'invalid-data',
          `'${data.description}' comes from a generator, which can be read only once, and is read again; give an array of batches, or an object that starts anew whenever it is iterated`,
        );
      isRead = true;
      return data[Symbol.asyncIterator]();
    },
  };
}

/** Generators and other iterators are their own iterator; collections make a new one each time. */
function isOneShot(batches: AsyncIterable<unknown> | Iterable<unknown>): boolean {
  if (Symbol.asyncIterator in batches)
    return 'next' in batches && (batches[Symbol.asyncIterator]() as unknown) === batches;
  return 'next' in batches && (batches[Symbol.iterator]() as unknown) === batches;
}

function tightenedBatch(loose: LooseBatch, inputs: readonly ModelInput[]): Batch {
  const tighten = (tensors: Readonly<Record<string, LooseTensor>>) =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [
        name,
        tightened(tensor, inputs.find((input) => input.name === name)), // prettier-ignore
      ]),
    );
  const fed = tighten(loose.inputs);
  const size = loose.size ?? fed[inputs[0]?.name ?? '']?.dims[0] ?? 1;
  const batch: Batch = {
    inputs: fed,
    ...(loose.labels ? { labels: toLabels(loose.labels, 'labels') } : {}),
    ...(loose.extras ? { extras: tighten(loose.extras) } : {}),
    size,
    valid: loose.valid ?? size,
  };
  checkBatch(batch, inputs);
  return batch;
}
