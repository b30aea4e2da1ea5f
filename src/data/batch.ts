import type { Elements, ElementType } from './elements.js';

/** Contracts of the data room. Nothing here, nor in any file but `files.ts` and `images.ts`, needs Node. */

/** A dense tensor in C order. `float16` elements are their 16 bits, `bool` elements are 0 or 1. */
export interface BatchTensor {
  readonly dtype: ElementType;
  readonly dims: readonly number[];
  readonly data: Elements;
}

export interface Batch {
  /** By graph input name, with the dtype and shape that the model takes. */
  readonly inputs: Readonly<Record<string, BatchTensor>>;
  /** Class index of each of the `size` examples. */
  readonly labels?: Int32Array;
  /** Other arrays of the data file (boxes, masks, targets), for metrics; first axis = `size`. */
  readonly extras?: Readonly<Record<string, BatchTensor>>;
  /** Examples in the tensors. */
  readonly size: number;
  /**
   * Examples that count: the first `valid` ones. Smaller than `size` only in the last batch of a model with a
   * fixed batch size, whose tail repeats the last example.
   */
  readonly valid: number;
  /** Where examples are sequences that are padded: positive where a step counts, [size, steps]. Default: all count. */
  readonly counted?: BatchTensor;
}

/** Batches in a fixed order. Iterating again starts again, unless it was made from a one-shot iterable. */
export interface DataSource extends AsyncIterable<Batch> {
  /** Examples in one pass, where known. */
  readonly count?: number;
  /** Whether batches carry labels, where known. */
  readonly labelled?: boolean;
  /** Whether the examples are made up: nobody expects them to be like those of training. */
  readonly isNoise?: boolean;
  /** One line for reports: what, how many, how preprocessed. */
  readonly description: string;
  /**
   * Any of the `count` examples, by their positions in the order, as one batch; a model with a fixed batch size gets that
   * size, its tail filled up. Undefined where examples only come one after the other.
   */
  readonly read?: (positions: Uint32Array) => Promise<Batch>;
}

/** A graph input as data must fit it: sizes, symbolic names, or undefined where the model says nothing. */
export interface ModelInput {
  readonly name: string;
  readonly dtype: ElementType;
  readonly dims: readonly (number | string | undefined)[];
}

/** Examples with random access: what every file format is read into, and what batching draws from. */
export interface Examples {
  readonly count: number;
  /** Class index of each example. */
  readonly labels?: Int32Array;
  /** Numbers of one example over all inputs: what the default batch size follows. */
  readonly elementsPerExample: number;
  readonly description: string;
  /** Tensors of the listed examples in the listed order, on a leading axis; names as in the file or the model. */
  read(indices: Uint32Array): Promise<Record<string, BatchTensor>>;
}
