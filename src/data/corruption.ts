import { fillNormal, randomGenerator, type RandomGenerator } from '../random/random.js';
import type { Batch, BatchTensor, DataSource } from './batch.js';

/** Common corruptions after Hendrycks and Dietterich, Benchmarking Neural Network Robustness, 2019. */
export const corruptions = ['noise', 'blur', 'contrast'] as const;
export type Corruption = (typeof corruptions)[number];

/**
 * Their strength, near the middle of that benchmark's five levels. In units of the image itself, since models take
 * images normalised in ways that are not known here: noise has this share of the standard deviation of each channel,
 * ...
 */
const noiseShare = 0.3;

/** ... the Gaussian blur this share of the shorter side as its standard deviation, but at least half a pixel, ... */
const blurShare = 1 / 64;

/** ... and every pixel comes this much nearer to the mean of its channel. */
const contrastLoss = 0.5;

/** Where the channels, rows and columns of an image lie in a tensor; strides in elements. */
interface Layout {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly channelStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** The layout of [n, 1 | 3 | 4, h, w] or [n, h, w, 1 | 3 | 4] in float32; undefined for everything else. */
export function imageLayout({ dtype, dims }: BatchTensor): Layout | undefined {
  if (dtype !== 'float32' || dims.length !== 4) return undefined;
  const [, a, b, c] = dims as [number, number, number, number];
  const isColour = (size: number): boolean => size === 1 || size === 3 || size === 4;
  if (isColour(a) && b > 4 && c > 4)
    return { channels: a, height: b, width: c, channelStride: b * c, rowStride: c, columnStride: 1 };
  if (isColour(c) && a > 4 && b > 4)
    return { channels: c, height: a, width: b, channelStride: 1, rowStride: b * c, columnStride: c };
  return undefined;
}

/** The same examples with their images corrupted; what is no image stays. Each example depends on the seed and its place. */
export function corrupted(data: DataSource, corruption: Corruption, seed: number | string = 0): DataSource {
  return {
    ...(data.count !== undefined && { count: data.count }),
    ...(data.labelled !== undefined && { labelled: data.labelled }),
    description: `${data.description}, with ${corruption}`,
    async *[Symbol.asyncIterator]() {
      let first = 0;
      for await (const batch of data) {
        yield { ...batch, inputs: corruptInputs(batch, corruption, seed, first) };
        first += batch.size;
      }
    },
  };
}

/** @param first place of the batch's first example in the data */
function corruptInputs(
  { inputs }: Batch,
  corruption: Corruption,
  seed: number | string,
  first: number,
): Batch['inputs'] {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => {
      const layout = imageLayout(tensor);
      const generator = (image: number) => randomGenerator(`${seed}:${name}:${first + image}`);
      return [name, layout ? corruptImages(tensor, layout, corruption, generator) : tensor];
    }),
  );
}

function corruptImages(
  tensor: BatchTensor,
  layout: Layout,
  corruption: Corruption,
  generator: (image: number) => RandomGenerator,
): BatchTensor {
  const data = (tensor.data as Float32Array).slice();
  const { channels, height, width, channelStride } = layout;
  const plane = new Float32Array(height * width);
  const normal = new Float32Array(height * width);
  const kernel = gaussian(Math.max(0.5, blurShare * Math.min(height, width)));
  for (let image = 0; image < tensor.dims[0]!; image++) {
    const random = generator(image);
    for (let channel = 0; channel < channels; channel++) {
      const start = image * channels * height * width + channel * channelStride;
      readPlane(data, start, layout, plane);
      if (corruption === 'blur') blur(plane, layout, kernel);
      else {
        const { mean, deviation } = momentsOf(plane);
        if (corruption === 'noise') fillNormal(normal, random);
        for (let i = 0; i < plane.length; i++)
          plane[i]! +=
            corruption === 'noise' ? noiseShare * deviation * normal[i]! : contrastLoss * (mean - plane[i]!);
      }
      writePlane(data, start, layout, plane);
    }
  }
  return { ...tensor, data };
}

function readPlane(data: Float32Array, start: number, layout: Layout, plane: Float32Array): void {
  const { height, width, rowStride, columnStride } = layout;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) plane[y * width + x] = data[start + y * rowStride + x * columnStride]!;
}

function writePlane(data: Float32Array, start: number, layout: Layout, plane: Float32Array): void {
  const { height, width, rowStride, columnStride } = layout;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) data[start + y * rowStride + x * columnStride] = plane[y * width + x]!;
}

function momentsOf(values: Float32Array): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

/** Weights from -r to r that sum to one; r is three standard deviations. */
function gaussian(deviation: number): Float64Array {
  const radius = Math.ceil(3 * deviation);
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * deviation ** 2)),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Along rows, then along columns; the edge pixel goes on beyond the edge. */
function blur(plane: Float32Array, { height, width }: Layout, kernel: Float64Array): void {
  const radius = kernel.length >> 1;
  const line = new Float32Array(Math.max(height, width));
  const along = (start: number, length: number, stride: number): void => {
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let k = -radius; k <= radius; k++) {
        const at = Math.min(length - 1, Math.max(0, i + k));
        sum += kernel[k + radius]! * plane[start + at * stride]!;
      }
      line[i] = sum;
    }
    for (let i = 0; i < length; i++) plane[start + i * stride] = line[i]!;
  };
  for (let y = 0; y < height; y++) along(y * width, width, 1);
  for (let x = 0; x < width; x++) along(x, height, width);
}
