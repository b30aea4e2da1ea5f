import { emptyNamed, ownValue } from '../onnx/named.js';
import { PruneError } from '../errors.js';
import { elementCount } from '../onnx/tensor.js';
import { fillNormal, integerBelow, randomGenerator } from '../random/random.js';
import { emptyTensor } from './arrays.js';
import { batchExamples } from './batches.js';
import { fillSynthetic } from './synthetic.js';
import type { BatchTensor, DataSource, Examples, ModelInput } from './batch.js';
import { convertElements, isFloatElement } from './elements.js';
import { fixedBatch, formatShape, shapeMismatch } from './inputs.js';
import type { BatchOptions, DataOptions } from './options.js';

export type NoiseOptions = BatchOptions & Pick<DataOptions, 'limit' | 'seed' | 'shapes' | 'integersBelow'>;

/**
 * Noise that fits the model: floats standard normal or, if it is `synthetic`, shaped like pictures (`fillSynthetic`);
 * integers uniform below `integersBelow` (default 2).
 * 32 examples unless `limit` says otherwise; an example depends on the seed and its index only, not on the batch size.
 * @throws PruneError `invalid-option` where a symbolic dim has no size.
 */
export function noiseData(
  inputs: readonly ModelInput[],
  options: NoiseOptions = {},
  kind: 'random' | 'synthetic' = 'random',
): DataSource {
  const { limit = 32, seed = 0, shapes = {}, integersBelow = 2 } = options;
  const resolved = inputs.map((input) => ({ input, example: resolvedShape(input, shapes) }));
  const given = inputs.map(({ name }) => shapes[name]?.[0]).find((size) => size !== undefined);
  const batch = options.batch ?? (fixedBatch(inputs) === undefined ? given : undefined);
  const examples: Examples = {
    count: limit,
    elementsPerExample: resolved.reduce((sum, { example }) => sum + elementCount(example), 0),
    description:
      kind === 'random' ? `random noise, seed ${seed}` : `data-free: synthetic examples, seed ${seed}`,
    // eslint-disable-next-line @typescript-eslint/require-await
    async read(indices) {
      const tensors = emptyNamed<BatchTensor>();
      for (const { input, example } of resolved) {
        tensors[input.name] = noiseTensor(input, example, indices, seed, integersBelow, kind);
      }
      return tensors;
    },
  };
  return { ...batchExamples(examples, inputs, batch === undefined ? {} : { batch }), isNoise: true };
}

function noiseTensor(
  { name, dtype }: ModelInput,
  example: readonly number[],
  indices: Uint32Array,
  seed: number,
  integersBelow: number,
  kind: 'random' | 'synthetic',
): BatchTensor {
  const dims = [indices.length, ...example];
  const numbers = emptyTensor('float32', dims).data as Float32Array;
  const integers = new Int32Array(isFloatElement(dtype) ? 0 : numbers.length);
  const length = elementCount(example);
  indices.forEach((index, position) => {
    const random = randomGenerator(`${seed}:${name}:${index}`);
    const [start, end] = [position * length, (position + 1) * length];
    const own = numbers.subarray(start, end);
    if (isFloatElement(dtype) && kind === 'random') fillNormal(own, random);
    else if (isFloatElement(dtype)) fillSynthetic(own, example, random);
    else for (let i = start; i < end; i++) integers[i] = integerBelow(integersBelow, random);
  });
  const data = isFloatElement(dtype)
    ? convertElements(numbers, 'float32', dtype, name)
    : convertElements(integers, 'int32', dtype, name);
  return { dtype, dims, data };
}

function resolvedShape(input: ModelInput, shapes: Readonly<Record<string, readonly number[]>>): number[] {
  const given = ownValue(shapes, input.name);
  if (given && given.length !== input.dims.length) throw shapeMismatch(input, given, 'give as many sizes');
  if (input.dims.length === 0) {
    throw new PruneError(
      'invalid-data',
      `input '${input.name}' is a scalar; pass ready batches through the API`,
    );
  }
  return input.dims.slice(1).map((dim, position) => {
    const size = typeof dim === 'number' ? dim : given?.[position + 1];
    if (size === undefined) {
      const example = input.dims.map((other, axis) =>
        typeof other === 'number' ? other : axis === 0 ? 1 : 128,
      );
      const where = `no size for dim ${position + 1} of input '${input.name}' ${formatShape(input.dims)}`;
      throw new PruneError(
        'invalid-option',
        `${where}; give its shape, such as ${input.name}=${example.join(',')}`,
      );
    }
    return size;
  });
}
