import * as v from 'valibot';
import type { DataSource } from '../data/batch.js';
import type { DataOptions } from '../data/options.js';
import { anyNumber, choice, list, made, objectOf, oneOrMore, record, text, wholeNumber } from './values.js';
import type { TableOf } from './option.js';

const group = 'Data:';
const count = wholeNumber(1);

/** How data is read; see `DataOptions` for what each one means. */
export const dataOptions = {
  path: { schema: text },
  shapes: { schema: record(list(count)) },
  seed: { schema: wholeNumber(0) },
  labels: {
    schema: text,
    otherwise: 'in or beside the data',
    flag: '--labels <file>',
    group,
    help: 'one class index an example: .npy, IDX or text',
  },
  format: {
    schema: choice(['npz', 'npy', 'idx', 'cifar10', 'cifar100', 'images']),
    otherwise: 'by content',
    flag: '--format <name>',
    group,
    help: 'npz, npy, idx, cifar10, cifar100, images',
  },
  input: {
    schema: text,
    otherwise: 'the only one',
    flag: '--input <name>',
    group,
    help: 'graph input that single arrays and images feed',
  },
  scale: {
    schema: anyNumber,
    otherwise: '255 for 8-bit images, else 1',
    flag: '--scale <number>',
    group,
    help: 'divides before --mean and --std',
  },
  mean: {
    schema: oneOrMore(anyNumber),
    otherwise: '0',
    flag: '--mean <numbers>',
    group,
    help: 'subtracted: one number, or one a channel: 0.485,0.456,0.406',
  },
  std: {
    schema: oneOrMore(anyNumber),
    otherwise: '1',
    flag: '--std <numbers>',
    group,
    help: 'divides last: one number, or one a channel',
  },
  limit: {
    schema: count,
    otherwise: 'all; 1024 of --data where a model is pruned',
    flag: '--limit <count>',
    group,
    help: 'examples at most',
  },
  draw: {
    schema: choice(['first', 'shuffle', 'balanced']),
    otherwise: 'first; shuffle of --data where a model is pruned',
    flag: '--draw <order>',
    group,
    help: 'which examples: first, shuffle, balanced',
  },
  batch: {
    schema: count,
    otherwise: 'at most 64',
    flag: '--batch <size>',
    group,
    help: 'examples a batch',
  },
  resize: {
    schema: count,
    otherwise: "from the model's size",
    flag: '--resize <pixels>',
    group,
    help: 'images: the shorter side before cropping',
  },
  crop: {
    schema: v.union([
      count,
      v.pipe(v.strictTuple([count, count], 'use one whole number, or height and width'), v.readonly()),
    ]),
    otherwise: "the model's",
    flag: '--crop <pixels>',
    group,
    help: 'images: centre crop, one number or height,width',
  },
  layout: {
    schema: choice(['nchw', 'nhwc']),
    otherwise: 'where the input has 1 or 3',
    flag: '--layout <order>',
    group,
    help: 'images: nchw or nhwc',
  },
  channelOrder: {
    schema: choice(['rgb', 'bgr']),
    otherwise: 'rgb',
    flag: '--channel-order <order>',
    group,
    help: 'images: rgb or bgr',
  },
  classes: {
    schema: list(text),
    otherwise: 'all, sorted',
    flag: '--classes <names>',
    group,
    help: 'images: sub-folders in label order, separated by commas',
    fromText: (given) => given.split(','),
  },
  integersBelow: {
    schema: count,
    otherwise: '2',
    flag: '--integers-below <bound>',
    group,
    help: 'random data: bound of integers',
  },
  unpackLimit: {
    schema: count,
    otherwise: '4 GiB',
    flag: '--unpack-limit <bytes>',
    group,
    help: 'bytes that a packed file may unpack to',
  },
} as const satisfies TableOf<DataOptions>;

/** Ready batches, a path (or `random` or `synthetic`), or a path with how to read it. */
export type Data = DataSource | DataOptions | string;

export const data = v.union([
  text,
  made<DataSource>((value) => Symbol.asyncIterator in value, 'give batches'),
  objectOf(dataOptions, ['path']),
]);
