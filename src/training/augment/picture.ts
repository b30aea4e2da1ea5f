import type { RandomGenerator } from '../../random/random.js';

/** A picture of float32 numbers as they are fed: element (c, y, x) stands at c·channelStride + (y·width + x)·pixelStride. */
export interface Picture {
  readonly data: Float32Array;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly channelStride: number;
  readonly pixelStride: number;
}

/** Changes one picture in place. */
export type PictureChange = (picture: Picture, random: RandomGenerator) => void;
