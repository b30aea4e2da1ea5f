import type { Batch, BatchTensor, ModelInput } from '../../data/batch.js';
import { PruneError } from '../../errors.js';
import { randomGenerator, type RandomGenerator } from '../../random/random.js';
import { colour } from './colour.js';
import { crop } from './crop.js';
import { flip } from './flip.js';
import type { PictureChange } from './picture.js';
import { shift } from './shift.js';

/** Changes a batch; what it returns has the same names, types and shapes. Called with a generator of its own each time. */
export type BatchChange = (batch: Batch, random: RandomGenerator) => Batch;

/** Changes of pictures that are built in. */
export const augmentations = { flip, shift, crop, colour } as const satisfies Readonly<
  Record<string, PictureChange>
>;

export type AugmentationName = keyof typeof augmentations;

export type AugmentationSpec = AugmentationName | BatchChange;

/** A batch as it is seen in a pass, of which it is batch number `index`. */
export type Augment = (batch: Batch, pass: number, index: number) => Batch;

/**
 * All changes one after the other. Built-in ones apply to the inputs that are pictures: float32, rank 4, 1 or 3 channels.
 * @throws PruneError `invalid-option` for an unknown name, or where no input is a picture
 */
export function augmentBy(
  specs: readonly AugmentationSpec[],
  inputs: readonly ModelInput[],
  seed: number,
): Augment | undefined {
  if (specs.length === 0) return undefined;
  const pictures = inputs.filter(isPicture).map(({ name }) => name);
  const changes = specs.map((spec) => changeOf(spec, pictures));
  return (batch, pass, index) => {
    const random = randomGenerator(`${seed}:augment:${pass}:${index}`);
    return changes.reduce((current, change) => change(current, random), batch);
  };
}

function changeOf(spec: AugmentationSpec, pictures: readonly string[]): BatchChange {
  if (typeof spec === 'function') return spec;
  if (!Object.hasOwn(augmentations, spec))
    throw new PruneError('invalid-option', `unknown augmentation: ${String(spec)}; use ${Object.keys(augmentations).join(', ')}, or a function`); // prettier-ignore
  if (pictures.length === 0)
    throw new PruneError('invalid-option', `no input is a picture that '${spec}' could change; give a function, or leave it out`); // prettier-ignore
  const change = augmentations[spec];
  return (batch, random) => {
    const inputs = { ...batch.inputs };
    for (const name of pictures) inputs[name] = changed(batch.inputs[name]!, change, random);
    return { ...batch, inputs };
  };
}

function changed(tensor: BatchTensor, change: PictureChange, random: RandomGenerator): BatchTensor {
  const { dims } = tensor;
  const [count, second, third, fourth] = dims as [number, number, number, number];
  const isPlanar = second === 1 || second === 3;
  const [channels, height, width] = isPlanar ? [second, third, fourth] : [fourth, second, third];
  const size = channels * height * width;
  // A batch's tensor may be a view on the file.
  const data = Float32Array.from(tensor.data as Float32Array);
  const strides = isPlanar
    ? { channelStride: height * width, pixelStride: 1 }
    : { channelStride: 1, pixelStride: channels };
  for (let i = 0; i < count; i++)
    change({ data: data.subarray(i * size, (i + 1) * size), channels, height, width, ...strides }, random);
  return { ...tensor, data };
}

function isPicture({ dtype, dims }: ModelInput): boolean {
  return (
    dtype === 'float32' && dims.length === 4 && [dims[1], dims[3]].some((size) => size === 1 || size === 3)
  );
}
