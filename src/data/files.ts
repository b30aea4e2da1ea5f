import { stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { PruneError } from '../errors.js';
import { readWholeFile } from '../files/whole-file.js';
import { arrayExamples } from './arrays.js';
import { batchExamples } from './batches.js';
import type { BatchTensor, DataSource, Examples, ModelInput } from './batch.js';
import { cifarFormat, parseCifar } from './cifar.js';
import { gunzip, isGzip } from './compression.js';
import { idxLabelsName, isIdx, parseIdx } from './idx.js';
import { imageFolderExamples } from './images.js';
import { onlyInput } from './inputs.js';
import { checkLabelCount, labelsOfTensor, parseLabelText } from './labels.js';
import { noiseData } from './noise.js';
import { parseNpy, parseNpz } from './npy.js';
import { checkDataOptions, type DataOptions } from './options.js';
import { imageTarget, PixelPacker, pixelExamples } from './pixels.js';

type Format = NonNullable<DataOptions['format']>;

/**
 * Opens data for a model: an `.npz`, `.npy`, IDX or CIFAR binary file, a folder of images, or noise: `random`, or
 * `synthetic`, which is shaped like pictures.
 * Labels come from the data itself, from `labels`, or from the IDX file that lies beside the images.
 * @throws PruneError `invalid-data` for data that can't be read or doesn't fit; `invalid-option` for wrong options.
 */
export async function openData(
  pathOrOptions: string | DataOptions,
  inputs: readonly ModelInput[],
): Promise<DataSource> {
  const options = typeof pathOrOptions === 'string' ? { path: pathOrOptions } : pathOrOptions;
  checkDataOptions(options);
  if (options.path === 'random' || options.path === 'synthetic')
    return noiseData(inputs, options, options.path);

  const folder = options.format === 'images' || (await isFolder(options.path));
  const read = folder
    ? await imageFolderExamples(options.path, onlyInput(inputs, options.input), options)
    : await fileExamples(options, inputs);
  const examples = options.labels === undefined ? read : withLabels(read, options.labels, options);
  // The files of a folder are sorted by class: the first ones alone would be of one class.
  const sorted = folder && examples.labels !== undefined && options.limit !== undefined;
  return batchExamples(
    examples,
    inputs,
    sorted && !options.draw ? { ...options, draw: 'balanced' } : options,
  );
}

async function fileExamples(options: DataOptions, inputs: readonly ModelInput[]): Promise<Examples> {
  const file = basename(options.path);
  const bytes = readBytes(options.path);
  const format = options.format ?? detectFormat(bytes, options.path);
  switch (format) {
    case 'npz':
      return arrayExamples(parseNpz(bytes, file, options.unpackLimit), inputs, options, file);
    case 'npy': {
      const arrays = new Map([[onlyInput(inputs, options.input).name, parseNpy(bytes, file)]]);
      return arrayExamples(arrays, inputs, options, file);
    }
    case 'idx':
      return idxExamples(bytes, options, inputs);
    case 'cifar10':
    case 'cifar100': {
      const { images, labels } = parseCifar(bytes, file, format);
      return stackExamples(images, labels, onlyInput(inputs, options.input), options);
    }
    case 'images':
      throw new PruneError(
        'invalid-data',
        `'${options.path}' is a file; give the folder that the images are in`,
      );
  }
}

function detectFormat(bytes: Uint8Array, path: string): Format {
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return 'npz';
  if (bytes[0] === 0x93 && bytes[1] === 0x4e) return 'npy';
  const cifar = cifarFormat(bytes.length);
  // A black first record can begin as an IDX file does, so the usual name of CIFAR files decides.
  if (cifar && extname(path) === '.bin') return cifar;
  if (isGzip(bytes) || isIdx(bytes)) return 'idx';
  if (cifar) return cifar;
  throw new PruneError(
    'invalid-data',
    `unknown data format: '${path}'; give .npz, .npy, IDX, CIFAR binary or a folder`,
  );
}

async function idxExamples(
  bytes: Uint8Array,
  options: DataOptions,
  inputs: readonly ModelInput[],
): Promise<Examples> {
  const file = basename(options.path);
  const images = parseIdx(bytes, file, options.unpackLimit);
  const neighbour = options.labels === undefined ? await idxLabelsPath(options.path) : undefined;
  const labels = neighbour === undefined ? undefined : readLabels(neighbour, options.unpackLimit);
  if (labels) checkLabelCount(labels, images.dims[0]!, basename(neighbour!));
  return stackExamples(images, labels, onlyInput(inputs, options.input), options);
}

/** 8-bit stacks of rank 3 or 4 are images, all else plain arrays. */
function stackExamples(
  stack: BatchTensor,
  labels: Int32Array | undefined,
  input: ModelInput,
  options: DataOptions,
): Examples {
  const file = basename(options.path);
  const { dims, data } = stack;
  if (data instanceof Uint8Array && (dims.length === 3 || dims.length === 4)) {
    const packer = new PixelPacker(imageTarget(input, options.layout), options);
    return pixelExamples({ ...stack, data }, labels, packer, file);
  }
  const examples = arrayExamples(new Map([[input.name, stack]]), [input], options, file);
  return { ...examples, ...(labels ? { labels } : {}) };
}

/** The labels file beside IDX images, packed or not, if there is one. */
async function idxLabelsPath(imagesPath: string): Promise<string | undefined> {
  const name = idxLabelsName(basename(imagesPath));
  if (name === undefined) return undefined;
  const other = name.endsWith('.gz') ? name.slice(0, -'.gz'.length) : `${name}.gz`;
  for (const candidate of [name, other]) {
    const path = join(dirname(imagesPath), candidate);
    if (await stat(path).catch(() => undefined)) return path;
  }
  return undefined;
}

function withLabels(examples: Examples, path: string, options: DataOptions): Examples {
  const labels = readLabels(path, options.unpackLimit);
  checkLabelCount(labels, examples.count, basename(path));
  return { ...examples, labels };
}

/** Class indices from `.npy`, IDX (gzipped or not) or text. */
export function readLabels(path: string, unpackLimit?: number): Int32Array {
  const file = basename(path);
  const bytes = readBytes(path);
  if (bytes[0] === 0x93) return labelsOfTensor(parseNpy(bytes, file), file);
  const plain = isGzip(bytes) ? gunzip(bytes, file, unpackLimit) : bytes;
  if (isIdx(plain)) return labelsOfTensor(parseIdx(plain, file), file);
  return parseLabelText(new TextDecoder().decode(plain), file);
}

/** What one buffer holds. */
const maxBytes = 2 ** 31 - 1;

function readBytes(path: string): Uint8Array {
  return readWholeFile(path, {
    code: 'invalid-data',
    label: 'data',
    maxBytes,
    remedy: 'check that it is a readable file under 2 GiB',
  });
}

async function isFolder(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isDirectory() ?? false;
}
