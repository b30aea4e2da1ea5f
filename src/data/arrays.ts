import { emptyNamed } from '../onnx/named.js';
import { PruneError } from '../errors.js';
import { elementCount } from '../onnx/tensor.js';
import type { BatchTensor, Examples, ModelInput } from './batch.js';
import { allocate, convertElements, isFloatElement, toNumbers, type Elements } from './elements.js';
import { batchAxis, missingInput, onlyInput, shapeMismatch } from './inputs.js';
import { checkLabelCount, labelsOfTensor } from './labels.js';
import {
  describeNormalization,
  isIdentity,
  normalizationOf,
  type DataOptions,
  type Normalization,
} from './options.js';

type ArrayOptions = Pick<DataOptions, 'scale' | 'mean' | 'std' | 'input'>;

/** What turns rows of an array into rows of a model input. */
interface Column {
  readonly source: BatchTensor;
  readonly input: ModelInput | undefined;
  /** Shape of one example as the model takes it, without the axis that counts examples. */
  readonly example: readonly number[];
  /** The axis of the source that counts examples; undefined where all share the array. */
  readonly axis: number | undefined;
}

/**
 * Examples from arrays whose first axis counts them, or the axis that does in the model's input; scalars are shared. Arrays are matched to inputs by name; a single array beside
 * `labels` feeds the model's only input whatever its name. Axes of size 1 are added or dropped, and flat examples
 * folded, where the model's shape asks for it. Arrays that are no input come along for metrics.
 * @throws PruneError `invalid-data` naming the input, what it expects and what it got.
 */
export function arrayExamples(
  arrays: ReadonlyMap<string, BatchTensor>,
  inputs: readonly ModelInput[],
  options: ArrayOptions,
  file: string,
): Examples {
  const normalization = normalizationOf(options, 1);
  const columns = new Map<string, Column>();
  for (const [name, source] of matchInputs(arrays, inputs, options)) {
    if (name === 'labels' && !inputs.some((input) => input.name === name)) continue;
    const input = inputs.find((candidate) => candidate.name === name);
    const axis = input ? batchAxis(input, inputs) : 0;
    if (source.dims.length === 0 && axis !== undefined) {
      throw new PruneError(
        'invalid-data',
        `array '${name}' of '${file}' is a scalar; give a first axis of examples`,
      );
    }
    columns.set(name, { source, input, axis, example: exampleOf(source, input, axis) });
  }

  const leading = inputs.find((input) => batchAxis(input, inputs) !== undefined);
  const first = columns.get(leading?.name ?? '');
  const count = first?.source.dims[first.axis!] ?? 0;
  for (const [name, { source, axis }] of columns) {
    if (axis === undefined || source.dims[axis] === count) continue;
    const counts = `array '${name}' of '${file}' has ${source.dims[axis]} examples, '${leading!.name}' has ${count}`;
    throw new PruneError('invalid-data', `${counts}; give one of each example`);
  }
  const labelArray = inputs.some(({ name }) => name === 'labels') ? undefined : arrays.get('labels');
  const labels = labelArray && labelsOfTensor(labelArray, `${file}:labels`);
  if (labels) checkLabelCount(labels, count, file);

  const fed = [...columns.values()].filter(({ input }) => input);
  return {
    count,
    ...(labels ? { labels } : {}),
    elementsPerExample: fed.reduce((sum, { example }) => sum + elementCount(example), 0),
    description: isIdentity(normalization) ? file : `${file}, ${describeNormalization(normalization)}`,
    // eslint-disable-next-line @typescript-eslint/require-await
    async read(indices) {
      const batch = emptyNamed<BatchTensor>();
      for (const [name, column] of columns) batch[name] = readColumn(name, column, indices, normalization);
      return batch;
    },
  };
}

function matchInputs(
  arrays: ReadonlyMap<string, BatchTensor>,
  inputs: readonly ModelInput[],
  options: ArrayOptions,
): ReadonlyMap<string, BatchTensor> {
  const names = [...arrays.keys()].filter((name) => name !== 'labels');
  const [only] = names;
  if (names.length === 1 && only !== undefined && !inputs.some(({ name }) => name === only)) {
    const renamed = new Map(arrays);
    renamed.delete(only);
    return renamed.set(onlyInput(inputs, options.input).name, arrays.get(only)!);
  }
  const missing = inputs.find(({ name }) => !arrays.has(name));
  if (missing) throw missingInput(missing, [...arrays.keys()]);
  return arrays;
}

/** Shape of one example, or of what all share. */
function exampleOf(source: BatchTensor, input: ModelInput | undefined, axis: number | undefined): number[] {
  if (!input) return source.dims.slice(1);
  if (axis === 0) return exampleShape(source, input);
  const { dims } = source;
  const fits =
    dims.length === input.dims.length &&
    dims.every((dim, i) => i === axis || typeof input.dims[i] !== 'number' || input.dims[i] === dim);
  if (fits) return axis === undefined ? [...dims] : dims.toSpliced(axis, 1);
  const remedy = axis === undefined ? 'all examples share it' : `axis ${axis} counts examples`;
  throw shapeMismatch(input, dims, `${remedy}, the others must be as the model says`);
}

/** The model's shape for one example of the array, or an error. */
function exampleShape(source: BatchTensor, input: ModelInput): number[] {
  const got = source.dims.slice(1);
  const expected = input.dims.slice(1);
  const fits = (dims: readonly number[]) =>
    input.dims.length > 0 &&
    dims.length === expected.length &&
    dims.every((dim, axis) => typeof expected[axis] !== 'number' || expected[axis] === dim);
  if (fits(got)) return got;

  const rest = got.filter((dim) => dim !== 1);
  const padded = expected.map((dim) => (dim === 1 ? 1 : (rest.shift() ?? 1)));
  if (rest.length === 0 && fits(padded)) return padded;

  const sizes = expected.filter((dim) => typeof dim === 'number');
  const flat = got.length === 1 || expected.length === 1;
  if (flat && sizes.length === expected.length && elementCount(sizes) === elementCount(got)) return sizes;
  throw shapeMismatch(
    input,
    source.dims,
    'the first axis counts examples, the others must be as the model says',
  );
}

function readColumn(
  name: string,
  column: Column,
  indices: Uint32Array,
  normalization: Normalization,
): BatchTensor {
  const { source, input, example } = column;
  const { axis } = column;
  const dims = axis === undefined ? [...example] : example.toSpliced(axis, 0, indices.length);
  const rows = axis === undefined ? source.data : gatherAlong(source, axis, indices);
  if (!input) return { dtype: source.dtype, dims, data: rows };
  if (!isFloatElement(input.dtype) || isIdentity(normalization)) {
    return { dtype: input.dtype, dims, data: convertElements(rows, source.dtype, input.dtype, name) };
  }
  const numbers = normalize(toNumbers({ dtype: source.dtype, data: rows }), dims, normalization, name);
  return { dtype: input.dtype, dims, data: convertElements(numbers, 'float32', input.dtype, name) };
}

/** Positions of one axis of a C-order array. */
function gatherAlong({ data, dims }: BatchTensor, axis: number, indices: Uint32Array): Elements {
  const inner = elementCount(dims.slice(axis + 1));
  if (axis === 0) return gatherRows(data, indices, inner);
  const outer = elementCount(dims.slice(0, axis));
  const length = dims[axis]!;
  const rows = new Uint32Array(outer * indices.length);
  for (let o = 0; o < outer; o++)
    indices.forEach((index, position) => (rows[o * indices.length + position] = o * length + index));
  return gatherRows(data, rows, inner);
}

/** Rows of a C-order array: a view where they stand side by side, else a copy. */
export function gatherRows(data: Elements, indices: Uint32Array, length: number): Elements {
  const first = indices[0] ?? 0;
  if (indices.every((index, position) => index === first + position)) {
    return data.subarray(first * length, (first + indices.length) * length);
  }
  const Constructor = data.constructor as new (length: number) => Float32Array;
  const rows = new Constructor(indices.length * length);
  // Both sides are the same kind of array, whichever it is.
  const from = data as Float32Array;
  indices.forEach((index, position) => {
    rows.set(from.subarray(index * length, (index + 1) * length), position * length);
  });
  return rows;
}

function normalize(
  numbers: ArrayLike<number>,
  dims: readonly number[],
  { scale, mean, std }: Normalization,
  name: string,
): Float32Array {
  const channels = Math.max(mean.length, std.length);
  const axis = channelAxis(dims, channels, name);
  const inner = elementCount(dims.slice(axis + 1));
  const out = new Float32Array(numbers.length);
  for (let i = 0; i < out.length; i++) {
    const channel = channels === 1 ? 0 : Math.floor(i / inner) % channels;
    const center = mean[mean.length === 1 ? 0 : channel]!;
    out[i] = (numbers[i]! / scale - center) / std[std.length === 1 ? 0 : channel]!;
  }
  return out;
}

/** The axis with as many entries as mean and std have: the second, else the last. */
function channelAxis(dims: readonly number[], channels: number, name: string): number {
  if (channels === 1 || dims[1] === channels) return 1;
  if (dims.at(-1) === channels) return dims.length - 1;
  const shape = `input '${name}' of shape [${dims.join(', ')}] has no axis of ${channels} channels`;
  throw new PruneError('invalid-option', `${shape}; give one mean and std, or one a channel`);
}

/** Zeroed tensor of a shape; used where a format is filled piece by piece. */
export function emptyTensor(dtype: BatchTensor['dtype'], dims: readonly number[]): BatchTensor {
  return { dtype, dims, data: allocate(dtype, elementCount(dims)) };
}
