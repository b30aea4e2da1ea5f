import { emptyNamed, ownValue } from '../onnx/named.js';
import type { InferenceSession, Tensor } from 'onnxruntime-common';
import { PruneError } from '../errors.js';
import { encodeFloats } from '../onnx/values.js';
import { elementCount } from '../onnx/tensor.js';
import { fillNormal, randomGenerator } from '../random/random.js';
import type { Runtime } from './runtime.js';
import { arrayFor, type FeedableType, isFeedable } from './tensors.js';

/** An input of a session with all its dims chosen. */
export interface InputSpec {
  readonly name: string;
  readonly dtype: FeedableType;
  readonly shape: readonly number[];
}

export interface InputShapeOptions {
  /** Shapes by input name; the others come from the session. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Size of a symbolic leading axis, and of every axis with the same symbol. Default 1; so are all other symbols. */
  readonly batch?: number | undefined;
}

/**
 * What to feed a session.
 * @throws PruneError `invalid-option` for shapes that don't fit, `unsupported` for inputs that can't be fed.
 */
export function inputSpecs(session: InferenceSession, options: InputShapeOptions = {}): InputSpec[] {
  const { shapes = {}, batch = 1 } = options;
  if (!Number.isSafeInteger(batch) || batch < 1) {
    throw new PruneError('invalid-option', `invalid batch: ${String(batch)}; use a positive integer`);
  }
  for (const name of Object.keys(shapes)) {
    if (!session.inputNames.includes(name)) {
      const names = session.inputNames.join(', ') || 'none';
      throw new PruneError(
        'invalid-option',
        `unknown input in shape: ${name}; the model's inputs are ${names}`,
      );
    }
  }
  const metadata = session.inputMetadata.map((input) => {
    if (!input.isTensor || !isFeedable(input.type)) {
      const type = input.isTensor ? input.type : 'no tensor';
      throw new PruneError(
        'unsupported',
        `input ${input.name} is of type ${type}, which can't be made up; feed data`,
      );
    }
    return { name: input.name, dtype: input.type, dims: input.shape };
  });
  const sizes = symbolSizes(metadata, shapes, batch);
  return metadata.map(({ name, dtype, dims }) => {
    const given = ownValue(shapes, name);
    if (given !== undefined && dims.length > 0 && given.length !== dims.length) {
      throw new PruneError(
        'invalid-option',
        `shape [${given.join(', ')}] for ${name} has rank ${given.length}; the model says [${dims.join(', ')}], so give ${dims.length} sizes`,
      );
    }
    const pinned = dims.map((dim, axis) =>
      typeof dim === 'number' ? dim : (sizes.get(dim) ?? (axis === 0 ? batch : 1)),
    );
    return { name, dtype, shape: given ?? pinned };
  });
}

function symbolSizes(
  inputs: readonly { readonly name: string; readonly dims: readonly (number | string)[] }[],
  shapes: Readonly<Record<string, readonly number[]>>,
  batch: number,
): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { name, dims } of inputs) {
    for (const [axis, dim] of dims.entries()) {
      const given = ownValue(shapes, name)?.[axis];
      if (typeof dim === 'string' && dim !== '' && given !== undefined && !sizes.has(dim))
        sizes.set(dim, given);
    }
  }
  for (const { dims } of inputs) {
    const dim = dims[0];
    if (typeof dim === 'string' && dim !== '' && !sizes.has(dim)) sizes.set(dim, batch);
  }
  return sizes;
}

/** Half a GiB in float32: no network takes inputs as large, but a damaged file may say so. */
const maxRandomElements = 2 ** 27;

/**
 * Random feeds, reproducible and independent of the order of inputs: floats are standard normal; integers and
 * booleans are 0 or 1, so that they are in range as indices, token types and masks.
 * @throws PruneError `unsupported` for an input of more than 2^27 elements.
 */
export function randomInputs(
  runtime: Runtime,
  inputs: readonly InputSpec[],
  seed: number | string = 0,
): Record<string, Tensor> {
  const feeds = emptyNamed<Tensor>();
  for (const { name, dtype, shape } of inputs) {
    const count = elementCount(shape);
    if (!(count <= maxRandomElements))
      throw new PruneError(
        'unsupported',
        `input '${name}' of shape [${shape.join(', ')}] is too large to be made up; give a smaller shape with --shape`,
      );
    feeds[name] = runtime.tensor(dtype, randomElements(dtype, count, `${seed}:${name}`), shape);
  }
  return feeds;
}

function randomElements(dtype: FeedableType, count: number, seed: string): Tensor.DataType {
  const random = randomGenerator(seed);
  if (dtype === 'float64') return fillNormal(new Float64Array(count), random);
  if (dtype === 'float32') return fillNormal(new Float32Array(count), random);
  if (dtype === 'float16') {
    const halves = encodeFloats(fillNormal(new Float32Array(count), random), 'float16');
    return new Uint16Array(halves.buffer, halves.byteOffset, count);
  }
  const array = arrayFor(dtype, count);
  const isBig = array instanceof BigInt64Array || array instanceof BigUint64Array;
  for (let i = 0; i < count; i++) {
    const bit = random() < 0.5 ? 0 : 1;
    if (isBig) array[i] = BigInt(bit);
    else array[i] = bit;
  }
  return array;
}
