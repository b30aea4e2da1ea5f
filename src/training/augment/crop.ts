import type { PictureChange } from './picture.js';
import { resample } from './resample.js';

/** The smallest part of the area that is cut out. */
const leastArea = 0.5;

/** Cuts out a part with between half and all of the area, of the picture's own shape, and enlarges it (bilinear). */
export const crop: PictureChange = (picture, random) => {
  const scale = Math.sqrt(leastArea + (1 - leastArea) * random());
  const top = random() * (1 - scale) * (picture.height - 1);
  const left = random() * (1 - scale) * (picture.width - 1);
  resample(picture, { top, left, scaleY: scale, scaleX: scale });
};
