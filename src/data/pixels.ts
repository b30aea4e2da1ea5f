import { PruneError } from '../errors.js';
import type { BatchTensor, Examples, ModelInput } from './batch.js';
import { emptyTensor } from './arrays.js';
import { allocate, convertElements, isFloatElement, type Elements } from './elements.js';
import { formatShape, shapeMismatch } from './inputs.js';
import { describeNormalization, isIdentity, normalizationOf, type DataOptions } from './options.js';

/** An 8-bit image: planar (channel by channel) or interleaved (pixel by pixel). */
export interface Pixels {
  readonly data: Uint8Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly planar: boolean;
}

type PixelOptions = Pick<DataOptions, 'scale' | 'mean' | 'std' | 'layout' | 'channelOrder'>;

/** How an input takes images, and what it says of their size. */
export interface ImageTarget {
  readonly input: ModelInput;
  readonly layout: 'nchw' | 'nhwc' | 'nhw' | 'flat';
  readonly channels: number | undefined;
  readonly height: number | undefined;
  readonly width: number | undefined;
}

/**
 * Reads the layout off an input: rank 4 is NCHW or NHWC by where 1 or 3 stands, rank 3 grey images, rank 2 flat ones.
 * @throws PruneError `invalid-data` for other ranks.
 */
export function imageTarget(input: ModelInput, layout?: 'nchw' | 'nhwc'): ImageTarget {
  const sizes = input.dims.map((dim) => (typeof dim === 'number' ? dim : undefined));
  const isChannels = (size: number | undefined) => size === 1 || size === 3;
  if (sizes.length === 4) {
    const last = layout ? layout === 'nhwc' : !isChannels(sizes[1]) && isChannels(sizes[3]);
    const [, a, b, c] = sizes;
    return last
      ? { input, layout: 'nhwc', height: a, width: b, channels: c }
      : { input, layout: 'nchw', channels: a, height: b, width: c };
  }
  if (sizes.length === 3) return { input, layout: 'nhw', channels: 1, height: sizes[1], width: sizes[2] };
  if (sizes.length === 2)
    return { input, layout: 'flat', channels: undefined, height: undefined, width: undefined };
  const shape = `input '${input.name}' ${formatShape(input.dims)} takes no images`;
  throw new PruneError('invalid-data', `${shape}; give an .npz of arrays with its shape`);
}

/** Shape of one image as the target takes it; checked against the model's static dims. */
export function imageShape(
  target: ImageTarget,
  { channels, height, width }: Omit<Pixels, 'data' | 'planar'>,
): number[] {
  const shape = {
    nchw: [channels, height, width],
    nhwc: [height, width, channels],
    nhw: channels === 1 ? [height, width] : [height, width, channels],
    flat: [channels * height * width],
  }[target.layout];
  const expected = target.input.dims.slice(1);
  const fits = shape.length === expected.length && shape.every((size, axis) => typeof expected[axis] !== 'number' || expected[axis] === size); // prettier-ignore
  if (!fits)
    throw shapeMismatch(target.input, ['n', ...shape] as number[], 'give images of the size the model takes');
  return shape;
}

/** Writes images into batches: layout, channel order and normalisation in one pass over a table of 256 entries. */
export class PixelPacker {
  readonly description: string;
  private readonly tables = new Map<number, readonly Elements[]>();

  constructor(
    readonly target: ImageTarget,
    private readonly options: PixelOptions,
  ) {
    const normalization = this.normalization();
    if (!isFloatElement(target.input.dtype) && !isIdentity(normalization)) {
      const what = `input '${target.input.name}' takes ${target.input.dtype}`;
      throw new PruneError(
        'invalid-option',
        `${what}, which is not normalised; leave scale, mean and std out`,
      );
    }
    this.description = describeNormalization(normalization);
  }

  /** The images as one tensor; all must have the same size. */
  pack(images: readonly Pixels[]): BatchTensor {
    const shape = imageShape(this.target, images[0]!);
    const out = emptyTensor(this.target.input.dtype, [images.length, ...shape]);
    images.forEach((image, position) => this.write(image, out.data, position));
    return out;
  }

  private write({ data, channels, height, width, planar }: Pixels, out: Elements, position: number): void {
    const area = height * width;
    const start = position * channels * area;
    const tables = this.tablesOf(channels);
    const interleave = this.target.layout === 'nhwc';
    // One kind of typed array on both sides, whichever it is.
    const to = out as Float32Array;
    for (let channel = 0; channel < channels; channel++) {
      const table = tables[channel] as Float32Array;
      const source = this.options.channelOrder === 'bgr' ? channels - 1 - channel : channel;
      const [from, fromStep] = planar ? [source * area, 1] : [source, channels];
      const [base, step] = interleave ? [start + channel, channels] : [start + channel * area, 1];
      for (let pixel = 0; pixel < area; pixel++)
        to[base + pixel * step] = table[data[from + pixel * fromStep]!]!;
    }
  }

  /** For each channel of the model, what each of the 256 values becomes. */
  private tablesOf(channels: number): readonly Elements[] {
    const known = this.tables.get(channels);
    if (known) return known;
    const { dtype, name } = this.target.input;
    const { scale, mean, std } = this.normalization();
    for (const list of [mean, std]) {
      if (list.length === 1 || list.length === channels) continue;
      const got = `${list.length} values of mean or std for ${channels} channels`;
      throw new PruneError('invalid-option', `${got}; give one, or one a channel`);
    }
    const tables = Array.from({ length: channels }, (_, channel) => {
      if (!isFloatElement(dtype)) {
        return convertElements(Uint8Array.from({ length: 256 }, (_, value) => value), 'uint8', dtype, name); // prettier-ignore
      }
      const center = mean[mean.length === 1 ? 0 : channel]!;
      const spread = std[std.length === 1 ? 0 : channel]!;
      const values = allocate('float64', 256) as Float64Array;
      for (let value = 0; value < 256; value++) values[value] = (value / scale - center) / spread;
      return convertElements(values, 'float64', dtype, name);
    });
    this.tables.set(channels, tables);
    return tables;
  }

  private normalization() {
    return normalizationOf(this.options, isFloatElement(this.target.input.dtype) ? 255 : 1);
  }
}

/** Examples from a stack of 8-bit images: [n, h, w] grey, or [n, c, h, w] planar. */
export function pixelExamples(
  stack: BatchTensor & { readonly data: Uint8Array },
  labels: Int32Array | undefined,
  packer: PixelPacker,
  file: string,
): Examples {
  const [count, channels, height, width] = (
    stack.dims.length === 3 ? [stack.dims[0], 1, ...stack.dims.slice(1)] : stack.dims
  ) as [number, number, number, number];
  const size = channels * height * width;
  imageShape(packer.target, { channels, height, width });
  return {
    count,
    ...(labels ? { labels } : {}),
    elementsPerExample: size,
    description: `${file}, images ${channels} × ${height} × ${width} as ${packer.description}`,
    // eslint-disable-next-line @typescript-eslint/require-await
    async read(indices) {
      const images = Array.from(indices, (index) => {
        const data = stack.data.subarray(index * size, (index + 1) * size);
        return { data, channels, height, width, planar: true };
      });
      return { [packer.target.input.name]: packer.pack(images) };
    },
  };
}
