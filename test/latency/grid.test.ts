import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gridOf, gridPoints, interpolate, monotone } from '../../src/latency/grid.js';

describe('the grid of widths', () => {
  it('ends at the dense width and has multiples of the block below it', () => {
    expect(gridOf(512)).toEqual([64, 192, 320, 512]);
    expect(gridOf(100)).toEqual([16, 32, 64, 100]);
    expect(gridOf(24)).toEqual([8, 16, 24]);
    expect(gridOf(48)).toEqual([16, 32, 48]);
    expect(gridOf(3)).toEqual([1, 2, 3]);
    expect(gridOf(1)).toEqual([1]);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), (dense) => {
        const grid = gridOf(dense);
        expect(grid.at(-1)).toBe(dense);
        expect(grid[0]).toBeGreaterThanOrEqual(1);
        expect(new Set(grid).size).toBe(grid.length);
      }),
    );
  });

  it('lists its points with the last width fastest', () => {
    expect(
      gridPoints([
        [1, 2],
        [3, 4],
      ]),
    ).toEqual([
      [1, 3],
      [1, 4],
      [2, 3],
      [2, 4],
    ]);
    expect(gridPoints([])).toEqual([[]]);
  });
});

describe('interpolation', () => {
  const axes = [
    [8, 24, 40, 64],
    [16, 48, 128],
  ];
  const table = (time: (a: number, b: number) => number) => ({
    axes,
    times: Float64Array.from(gridPoints(axes), ([a, b]) => time(a!, b!)),
  });

  it('is exact where time is bilinear, between the points too', () => {
    const time = (a: number, b: number) => 3 + 2 * a + b + 0.5 * a * b;
    for (const [a, b] of [
      [8, 16],
      [30, 100],
      [64, 128],
      [9, 17],
    ] as const)
      expect(interpolate(table(time), [a, b])).toBeCloseTo(time(a, b), 9);
  });

  it('goes on along the line below the smallest width, but not to nothing', () => {
    const grid = table((a, b) => a * b);
    expect(interpolate(grid, [4, 16])).toBeCloseTo(64, 9);
    expect(interpolate(grid, [1, 1])).toBe(32);
  });

  it('has one number for an op without widths', () => {
    expect(interpolate({ axes: [], times: Float64Array.of(7) }, [])).toBe(7);
    expect(interpolate({ axes: [[1]], times: Float64Array.of(7) }, [1])).toBe(7);
  });

  it('takes no longer for a width that kernels dislike than for a wider one', () => {
    const grid = monotone({ axes: [[8, 16, 24]], times: Float64Array.of(3, 2, 4) });
    expect([...grid.times]).toEqual([2, 2, 4]);
  });

  it('never falls as a width grows, whatever was measured', () => {
    const sizes = axes.map((axis) => axis.length);
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.1, max: 9, noNaN: true }), {
          minLength: sizes[0]! * sizes[1]!,
          maxLength: sizes[0]! * sizes[1]!,
        }),
        fc.integer({ min: 8, max: 63 }),
        fc.integer({ min: 16, max: 127 }),
        (times, a, b) => {
          const grid = monotone({ axes, times: Float64Array.from(times) });
          const here = interpolate(grid, [a, b]);
          expect(interpolate(grid, [a + 1, b])).toBeGreaterThanOrEqual(here - 1e-9);
          expect(interpolate(grid, [a, b + 1])).toBeGreaterThanOrEqual(here - 1e-9);
        },
      ),
    );
  });
});
