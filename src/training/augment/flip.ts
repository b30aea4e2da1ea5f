import type { PictureChange } from './picture.js';

/** Left and right change places in every second picture. */
export const flip: PictureChange = (
  { data, channels, height, width, channelStride, pixelStride },
  random,
) => {
  if (random() < 0.5) return;
  for (let c = 0; c < channels; c++)
    for (let y = 0; y < height; y++) {
      const row = c * channelStride + y * width * pixelStride;
      for (let left = 0, right = width - 1; left < right; left++, right--) {
        const [a, b] = [row + left * pixelStride, row + right * pixelStride];
        [data[a], data[b]] = [data[b]!, data[a]!];
      }
    }
};
