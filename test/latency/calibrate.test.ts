import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { calibrate, curveThrough } from '../../src/latency/calibrate.js';

describe('calibration', () => {
  it('changes nothing where no plan was timed', () => {
    const curve = curveThrough([]);
    for (const share of [0, 0.3, 1, 1.2]) expect(curve(share)).toBe(share);
  });

  it('is right for plans that were timed, and straight in between', () => {
    const curve = curveThrough([
      { predicted: 0.2, measured: 0.3 },
      { predicted: 0.6, measured: 0.5 },
    ]);
    expect(curve(0.2)).toBeCloseTo(0.3, 12);
    expect(curve(0.4)).toBeCloseTo(0.4, 12);
    expect(curve(0.6)).toBeCloseTo(0.5, 12);
    expect(curve(0.8)).toBeCloseTo(0.75, 12);
    expect(curve(1)).toBeCloseTo(1, 12);
    expect(curve(0.1)).toBeCloseTo(0.25, 12);
  });

  it('never reaches nothing below the plans that were timed', () => {
    const curve = curveThrough([{ predicted: 0.5, measured: 0.2 }]);
    expect(curve(0.25)).toBeCloseTo(0.1, 12);
    expect(curve(0.05)).toBeCloseTo(0.02, 12);
  });

  it('never falls, whatever was measured, and holds that the dense model takes what it takes', () => {
    const share = fc.double({ min: 0.01, max: 1, noNaN: true });
    const anchor = fc.record({ predicted: share, measured: fc.double({ min: 0.01, max: 2, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(anchor, { maxLength: 4 }), share, share, (anchors, a, b) => {
        const curve = curveThrough(anchors.filter(({ predicted }) => predicted < 1));
        expect(curve(Math.min(a, b))).toBeLessThanOrEqual(curve(Math.max(a, b)) + 1e-9);
        expect(curve(1)).toBeCloseTo(1, 9);
      }),
    );
  });

  it('applies to the predictions of a model', () => {
    const model = { dense: 8, covered: 1, operations: 1, predict: () => 4 };
    expect(calibrate(model, [{ predicted: 0.5, measured: 0.6 }]).predict()).toBeCloseTo(4.8, 12);
  });
});
