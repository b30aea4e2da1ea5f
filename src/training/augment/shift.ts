import { integerBelow } from '../../random/random.js';
import type { PictureChange } from './picture.js';
import { resample } from './resample.js';

/** The farthest that a picture moves, as a share of its side: 2 of 28 pixels. */
const farthest = 1 / 14;

/** Moves a picture by up to a 14th of its size each way, at least a pixel; its edges are repeated outwards. */
export const shift: PictureChange = (picture, random) => {
  const offset = (size: number): number => {
    const most = Math.max(1, Math.round(size * farthest));
    return integerBelow(2 * most + 1, random) - most;
  };
  const [down, right] = [offset(picture.height), offset(picture.width)];
  if (down !== 0 || right !== 0) resample(picture, { top: -down, left: -right, scaleY: 1, scaleX: 1 });
};
