import type { Picture } from './picture.js';

/** Where the pixel (y, x) of a new picture is read: at top + y·scaleY, left + x·scaleX of the old one. */
export interface Sampling {
  readonly top: number;
  readonly left: number;
  readonly scaleY: number;
  readonly scaleX: number;
}

/** Reads a picture anew, in place, between pixels linearly; beyond its edges they are repeated. */
export function resample(picture: Picture, { top, left, scaleY, scaleX }: Sampling): void {
  const { data, channels, height, width, channelStride, pixelStride } = picture;
  const source = data.slice();
  const rows = places(height, top, scaleY);
  const columns = places(width, left, scaleX);
  for (let c = 0; c < channels; c++) {
    const at = (y: number, x: number): number => source[c * channelStride + (y * width + x) * pixelStride]!;
    for (let y = 0; y < height; y++) {
      const { low, high, part } = rows[y]!;
      for (let x = 0; x < width; x++) {
        const column = columns[x]!;
        const above = at(low, column.low) + column.part * (at(low, column.high) - at(low, column.low));
        const below = at(high, column.low) + column.part * (at(high, column.high) - at(high, column.low));
        data[c * channelStride + (y * width + x) * pixelStride] = above + part * (below - above);
      }
    }
  }
}

function places(size: number, start: number, scale: number) {
  return Array.from({ length: size }, (_, i) => {
    const at = Math.min(size - 1, Math.max(0, start + i * scale));
    const low = Math.floor(at);
    return { low, high: Math.min(size - 1, low + 1), part: at - low };
  });
}
