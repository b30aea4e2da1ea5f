import type { Batch, DataSource } from '../data/batch.js';
import { shuffle } from '../data/order.js';
import { PruneError } from '../errors.js';
import { randomGenerator } from '../random/random.js';

/** A batch, and which examples of the data it holds where they can be told. */
export interface Drawn {
  readonly batch: Batch;
  /** Positions in the data of the examples that count. */
  readonly positions: Uint32Array | undefined;
}

/** Data parted for training: some examples are held out and judge, all others teach. */
export interface TrainingData {
  /** Examples that are held out, and that a pass goes over; in batches where the data only comes in batches. */
  readonly heldOutCount: number;
  readonly trainCount: number;
  /** Examples altogether, where their positions are known. */
  readonly count: number | undefined;
  readonly batchesPerPass: number;
  heldOut(): AsyncIterable<Drawn>;
  /** The batches of a pass, in an order of its own. @param number from 0 */
  pass(number: number): AsyncIterable<Drawn>;
}

export interface PassOptions {
  /** Examples a batch, where the data lets them be drawn one by one and the model's batch size is free. Default 64. */
  readonly batch?: number | undefined;
  /** Size that the model fixes. */
  readonly fixedBatch?: number | undefined;
  /** Examples to hold out. Default: a tenth, at most 2,048. */
  readonly heldOut?: number | undefined;
  /** Examples that teach, at most. Default: all others. */
  readonly limit?: number | undefined;
  readonly seed: number;
}

const defaultBatch = 64;
const mostHeldOut = 2048;

/** Where batches come one after the other, one in so many is held out. */
const heldOutEvery = 10;

/**
 * Parts data. Examples that can be drawn one by one are held out at random and shuffled anew for each pass; ready
 * batches are taken as they come, in their order, every tenth held out (of fewer the last).
 * @throws PruneError `invalid-data` for less than two examples (or batches), or data that can't be gone through twice
 */
export async function partData(data: DataSource, options: PassOptions): Promise<TrainingData> {
  const { count, read } = data;
  return read && count !== undefined
    ? partExamples(data.description, count, read, options)
    : partBatches(data, options);
}

function partExamples(
  description: string,
  count: number,
  read: NonNullable<DataSource['read']>,
  { seed, limit, fixedBatch, ...options }: PassOptions,
): TrainingData {
  const held = Math.max(
    1,
    Math.min(options.heldOut ?? Math.min(mostHeldOut, Math.round(count / 10)), count - 1),
  );
  if (count < 2)
    throw new PruneError(
      'invalid-data',
      `'${description}' has too few examples to train on; give at least 2`,
    );
  const all = shuffle(Uint32Array.from({ length: count }, (_, i) => i), randomGenerator(`${seed}:held-out`)); // prettier-ignore
  const kept = all.slice(0, held).sort();
  const taught = all.slice(held, limit === undefined ? undefined : held + limit);
  const size = Math.min(fixedBatch ?? options.batch ?? defaultBatch, taught.length);
  // The last batch of a pass is left out unless it is whole: it would weigh as much as the others.
  const batchesPerPass = Math.floor(taught.length / size);
  const draw = async function* (order: Uint32Array): AsyncGenerator<Drawn> {
    for (let start = 0; start < order.length; start += size) {
      const positions = order.subarray(start, start + size);
      yield { batch: await read(positions), positions };
    }
  };
  return {
    heldOutCount: kept.length,
    trainCount: taught.length,
    count,
    batchesPerPass,
    heldOut: () => draw(kept),
    pass: (number) => draw(shuffle(taught.slice(), randomGenerator(`${seed}:pass:${number}`)).subarray(0, batchesPerPass * size)), // prettier-ignore
  };
}

async function partBatches(data: DataSource, { limit = Infinity }: PassOptions): Promise<TrainingData> {
  const sizes: number[] = [];
  for await (const { valid } of data) sizes.push(valid);
  if (sizes.length < 2)
    throw new PruneError('invalid-data', `'${data.description}' has ${sizes.length} batches to train on; give at least 2`); // prettier-ignore
  const isHeld = (index: number): boolean =>
    sizes.length < heldOutEvery ? index === sizes.length - 1 : (index + 1) % heldOutEvery === 0;
  const taught = new Set<number>();
  let trainCount = 0;
  sizes.forEach((size, index) => {
    if (isHeld(index) || trainCount >= limit) return;
    trainCount += size;
    taught.add(index);
  });
  const take = async function* (wanted: (index: number) => boolean): AsyncGenerator<Drawn> {
    let index = 0;
    for await (const batch of data) if (wanted(index++)) yield { batch, positions: undefined };
    if (index < sizes.length)
      throw new PruneError('invalid-data', `'${data.description}' can't be gone through again; give data that can`); // prettier-ignore
  };
  return {
    heldOutCount: sizes.filter((_, index) => isHeld(index)).reduce((a, b) => a + b, 0),
    trainCount,
    count: undefined,
    batchesPerPass: taught.size,
    heldOut: () => take(isHeld),
    pass: () => take((index) => taught.has(index)),
  };
}
