import { gridOf, gridPoints, monotone, type TimeGrid } from './grid.js';
import { timesOf, type MeasureOptions } from './measure.js';
import type { Operation } from './operation.js';
import type { Sized } from './side-by-side.js';

/**
 * Times of distinct operations on their grids of widths, by signature. All operations of the model are measured
 * together, at their dense widths first, then narrower: caches then hold about what they hold in a whole model.
 */
export async function latencyTable(
  operations: readonly Operation[],
  options: MeasureOptions,
): Promise<Map<string, TimeGrid>> {
  const grids = new Map(operations.map((operation) => [operation.signature, pointsOf(operation)]));
  const setting = settingOf(operations);
  const times = new Map<string, number>();
  const rounds = Math.max(0, ...[...grids.values()].map(({ points }) => points.length));
  for (let round = 0; round < rounds; round++) {
    const parts = operations.flatMap((operation): Sized[] => {
      const { points } = grids.get(operation.signature)!;
      return round < points.length ? [{ operation, widths: points[points.length - 1 - round]! }] : [];
    });
    const measured = await timesOf(parts, setting, options);
    parts.forEach((part, i) => times.set(keyOf(part.operation.signature, part.widths), measured[i]!));
    options.onProgress?.(round + 1, rounds);
  }
  return new Map(
    [...grids].map(([signature, { axes, points }]) => {
      const own = points.map((widths) => times.get(keyOf(signature, widths))!);
      return [signature, monotone({ axes, times: Float64Array.from(own) })];
    }),
  );
}

function pointsOf({ dense }: Operation) {
  const axes = dense.map((width) => {
    const grid = gridOf(width);
    // Beyond two widths the ends must do.
    return dense.length <= 2 || grid.length <= 2 ? grid : [grid[0]!, grid.at(-1)!];
  });
  return { axes, points: gridPoints(axes) };
}

function keyOf(signature: string, widths: readonly number[]): string {
  return `${signature} ${widths.join()}`;
}

/** How much else wants to be in the caches: the weights of all operations, in bytes to the next power of two. */
function settingOf(operations: readonly Operation[]): string {
  const bytes = operations.reduce((sum, operation) => sum + operation.bytes, 0);
  return `among ${2 ** Math.ceil(Math.log2(Math.max(1, bytes)))}`;
}
