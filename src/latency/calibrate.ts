import type { LatencyModel } from './latency.js';

/** A plan that was timed end to end. Shares of the dense latency. */
export interface Anchor {
  readonly predicted: number;
  readonly measured: number;
}

/**
 * Bends predictions so that they are right for plans that were timed end to end, and straight between those. The sum
 * over ops tells how plans compare; what it can't know is what fused activations, changes of layout, starting kernels
 * and full caches add, and how much of that shrinks with the channels.
 */
export function calibrate(model: LatencyModel, anchors: readonly Anchor[]): LatencyModel {
  const bend = curveThrough(anchors);
  return {
    ...model,
    predict: (count) => model.dense * bend(model.predict(count) / model.dense),
  };
}

/** Through the anchors and the dense plan; never falls, whatever was measured. */
export function curveThrough(anchors: readonly Anchor[]): (predicted: number) => number {
  const points = [...anchors, { predicted: 1, measured: 1 }].sort((a, b) => a.predicted - b.predicted);
  for (let i = points.length - 2; i >= 0; i--)
    points[i] = { ...points[i]!, measured: Math.min(points[i]!.measured, points[i + 1]!.measured) };
  return (predicted) => {
    const [first, second] = points;
    if (!second) return predicted;
    let above = 1;
    while (above < points.length - 1 && predicted > points[above]!.predicted) above++;
    const [from, to] = [points[above - 1]!, points[above]!];
    const width = to.predicted - from.predicted;
    const slope = width > 0 ? (to.measured - from.measured) / width : 0;
    const straight = from.measured + slope * (predicted - from.predicted);
    // Below all anchors the line may reach zero too soon.
    return Math.max(straight, (first!.measured * Math.min(predicted, first!.predicted)) / first!.predicted);
  };
}
