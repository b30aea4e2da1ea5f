import type { PictureChange } from './picture.js';

/** The strongest change of contrast, and of brightness in standard deviations of the picture. */
const strongest = 0.2;

/** Changes contrast and brightness of each channel a little: x ← m + a·(x − m) + b·σ, with m and σ of the picture. */
export const colour: PictureChange = (
  { data, channels, height, width, channelStride, pixelStride },
  random,
) => {
  let sum = 0;
  let squares = 0;
  for (const value of data) {
    sum += value;
    squares += value * value;
  }
  const mean = sum / data.length;
  const deviation = Math.sqrt(Math.max(0, squares / data.length - mean * mean));
  const draw = (): number => strongest * (2 * random() - 1);
  const contrast = 1 + draw();
  for (let c = 0; c < channels; c++) {
    const offset = mean * (1 - contrast) + draw() * deviation;
    for (let i = 0; i < height * width; i++) {
      const at = c * channelStride + i * pixelStride;
      data[at] = contrast * data[at]! + offset;
    }
  }
};
