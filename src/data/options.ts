import { PruneError } from '../errors.js';
import type { CifarFormat } from './cifar.js';

/** How numbers of the file become numbers of a float input: `(x / scale - mean) / std`, a channel at a time. */
export interface NormalizationOptions {
  /** Default 255 for 8-bit images, else 1. */
  readonly scale?: number;
  /** One value, or one a channel. Default 0. */
  readonly mean?: number | readonly number[];
  /** One value, or one a channel. Default 1. */
  readonly std?: number | readonly number[];
}

/** Which examples, in which order. */
export interface DrawOptions {
  /** Examples at most. Default: all. */
  readonly limit?: number;
  /**
   * `first`: in file order. `shuffle`: at random. `balanced`: at random, as many of each class.
   * Default `first`, but `balanced` for a limited draw from class folders.
   */
  readonly draw?: 'first' | 'shuffle' | 'balanced';
  /** Seed of `shuffle`, `balanced` and `random` noise. Default 0. */
  readonly seed?: number;
}

export interface BatchOptions {
  /**
   * Examples a batch. A model with a fixed batch size takes only that. Default: at most 64, fewer where an example
   * has more than 16,384 numbers, so that a batch stays near a million.
   */
  readonly batch?: number;
}

/** How images of a folder are brought to the model's size. */
export interface ImageOptions {
  /** Length of the shorter side after resizing. Default: the crop × 256 / 224; none where sizes agree already. */
  readonly resize?: number;
  /** Height and width of the centre crop (one number: square). Default: the model's. */
  readonly crop?: number | readonly [number, number];
  /** Where channels stand. Default: where the model's input has 1 or 3. */
  readonly layout?: 'nchw' | 'nhwc';
  /** Default `rgb`. */
  readonly channelOrder?: 'rgb' | 'bgr';
  /** Sub-folders in label order. Default: all, by number where all are numbers, else alphabetically. */
  readonly classes?: readonly string[];
}

export interface DataOptions extends NormalizationOptions, DrawOptions, BatchOptions, ImageOptions {
  /**
   * An `.npz`, `.npy`, IDX (gzipped or not) or CIFAR binary file, a folder of images, `random` for noise, or `synthetic` for
   * noise that is shaped like pictures.
   */
  readonly path: string;
  /** A file of one class index an example: `.npy`, IDX, or text with one number a line. */
  readonly labels?: string;
  /** Default: by what the file holds. */
  readonly format?: 'npz' | 'npy' | 'idx' | CifarFormat | 'images';
  /** The graph input that single-array formats and images feed. Default: the only one. */
  readonly input?: string;
  /** Sizes of symbolic dims for `random` and `synthetic`, by input: the whole shape; the batch size is taken from its first entry. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>;
  /** Exclusive upper bound of integers in `random` noise. Default 2: legal for ids, masks and token types. */
  readonly integersBelow?: number;
  /** Bytes that a packed file may unpack to. Default 4 GiB. */
  readonly unpackLimit?: number;
}

/** Throws `invalid-option` for values out of range. */
export function checkDataOptions(options: DataOptions): void {
  const { batch, limit, resize, crop, integersBelow } = options;
  const sizes = { batch, limit, resize, integersBelow, unpackLimit: options.unpackLimit };
  for (const [name, value] of Object.entries(sizes)) {
    if (value !== undefined) checkCount(name, value);
  }
  for (const value of typeof crop === 'number' ? [crop] : (crop ?? [])) checkCount('crop', value);
  normalizationOf(options, 1);
}

function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new PruneError('invalid-option', `invalid ${name}: ${value}; give a whole number from 1`);
  }
}

/** Normalisation with defaults filled in; the lists have 1 entry or one a channel. */
export interface Normalization {
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

export function normalizationOf(options: NormalizationOptions, defaultScale: number): Normalization {
  const list = (value: number | readonly number[] | undefined, fallback: number) =>
    value === undefined ? [fallback] : typeof value === 'number' ? [value] : value;
  const result = {
    scale: options.scale ?? defaultScale,
    mean: list(options.mean, 0),
    std: list(options.std, 1),
  };
  const invalid = (name: string, value: unknown) =>
    new PruneError(
      'invalid-option',
      `invalid ${name}: ${String(value)}; give finite numbers, no zero divisor`,
    );
  if (!Number.isFinite(result.scale) || result.scale === 0) throw invalid('scale', result.scale);
  if (!result.mean.length || !result.mean.every(Number.isFinite)) throw invalid('mean', result.mean);
  if (!result.std.length || !result.std.every((value) => Number.isFinite(value) && value !== 0)) {
    throw invalid('std', result.std);
  }
  return result;
}

export function isIdentity({ scale, mean, std }: Normalization): boolean {
  return scale === 1 && mean.every((value) => value === 0) && std.every((value) => value === 1);
}

/** For reports: `(x/255 - 0.286)/0.353`. */
export function describeNormalization(normalization: Normalization): string {
  const { scale, mean, std } = normalization;
  const show = (values: readonly number[]) =>
    values.length === 1 ? `${values[0]}` : `[${values.join(', ')}]`;
  let text = scale === 1 ? 'x' : `x/${scale}`;
  if (mean.some((value) => value !== 0)) text = `${text} - ${show(mean)}`;
  if (std.some((value) => value !== 1)) text = `${text.includes('-') ? `(${text})` : text}/${show(std)}`;
  return text;
}
