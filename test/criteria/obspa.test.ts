import { expect, it } from 'vitest';
import { removalLosses } from '../../src/criteria/obspa.js';
import type { MemberHessian } from '../../src/members/measured.js';
import { randomGenerator } from '../../src/random/random.js';

interface Problem {
  readonly hessian: MemberHessian;
  readonly moments: readonly (readonly number[])[];
}

/** A layer with correlated inputs; columns belong to channels in turn, as those of a convolution do. */
function problem(channels: number, entries: number, outputs: number, seed: string): Problem {
  const random = randomGenerator(seed);
  const width = channels * entries;
  const draw = (): number[] => Array.from({ length: width }, () => random() - 0.5);
  const rows = Array.from({ length: 3 * width }, draw);
  const moments = Array.from({ length: width }, (_, i) =>
    Array.from({ length: width }, (__, j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, i === j ? 0.01 : 0)),
  ); // prettier-ignore
  const identity = (i: number): number[] => Array.from({ length: width }, (_, j) => (i === j ? 1 : 0));
  const inverse = Float64Array.from(moments.flatMap((_, i) => solve(moments, identity(i))));
  const weights = Float64Array.from({ length: outputs * width }, () => random() - 0.5);
  const columns = Int32Array.from({ length: width }, (_, column) => column % channels);
  return { hessian: { weights, outputs, inverse, channels: columns }, moments };
}

/** Squared error of the best weights without some channels: solved from scratch on what is left. */
function lossWithout({ hessian, moments }: Problem, gone: readonly number[]): number {
  const { weights, outputs, channels } = hessian;
  const width = channels.length;
  const all = Array.from({ length: width }, (_, i) => i);
  const removed = all.filter((column) => gone.includes(channels[column]!));
  const kept = all.filter((column) => !gone.includes(channels[column]!));
  let loss = 0;
  for (let r = 0; r < outputs; r++) {
    const w = (column: number): number => weights[r * width + column]!;
    const right = kept.map((j) => removed.reduce((sum, i) => sum + w(i) * moments[i]![j]!, 0));
    const delta = solve(
      kept.map((i) => kept.map((j) => moments[i]![j]!)),
      right,
    );
    // What the output loses: −w on removed columns, +delta on kept ones.
    const change = all.map((column) =>
      removed.includes(column) ? -w(column) : delta[kept.indexOf(column)]!,
    );
    for (const i of all) for (const j of all) loss += change[i]! * moments[i]![j]! * change[j]!;
  }
  return loss;
}

it('costs what the best other weights leave of the error, one channel after the other', () => {
  const [channels, entries] = [5, 3];
  const layers = [problem(channels, entries, 2, 'a'), problem(channels, entries, 4, 'b')];
  const losses = removalLosses(
    layers.map(({ hessian }) => hessian),
    channels,
  );
  const lossOf = (gone: readonly number[]): number =>
    layers.reduce((sum, layer) => sum + lossWithout(layer, gone), 0);
  const order = Array.from({ length: channels }, (_, c) => c).sort((a, b) => losses[a]! - losses[b]!);
  for (let count = 1; count < channels; count++) {
    const gone = order.slice(0, count);
    const step = lossOf(gone) - lossOf(order.slice(0, count - 1));
    expect(losses[gone.at(-1)!]! / step).toBeCloseTo(1, 6);
    for (const other of order.slice(count)) {
      const instead = [...order.slice(0, count - 1), other];
      expect(lossOf(instead)).toBeGreaterThanOrEqual(lossOf(gone) * (1 - 1e-9));
    }
  }
});

it('removes a channel that others can stand in for before one that is smaller but alone', () => {
  // Inputs 0 and 1 are nearly the same; input 2 has nothing to do with them.
  const moments = [[1, 0.999, 0], [0.999, 1, 0], [0, 0, 1]]; // prettier-ignore
  const inverse = Float64Array.from([0, 1, 2].flatMap((i) => solve(moments, [0, 1, 2].map((j) => +(i === j))))); // prettier-ignore
  const hessian = {
    weights: Float64Array.of(1, 1, 0.3),
    outputs: 1,
    inverse,
    channels: Int32Array.of(0, 1, 2),
  };
  const losses = removalLosses([hessian], 3);
  expect(Math.min(losses[0]!, losses[1]!)).toBeLessThan(losses[2]!);
  expect(Math.max(losses[0]!, losses[1]!)).toBeGreaterThan(losses[2]!);
});

/** x with A x = b. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const n = rows.length;
  for (let c = 0; c < n; c++)
    for (let r = 0; r < n; r++) {
      if (r === c) continue;
      const factor = rows[r]![c]! / rows[c]![c]!;
      for (let k = c; k <= n; k++) rows[r]![k]! -= factor * rows[c]![k]!;
    }
  return rows.map((row, i) => row[n]! / row[i]!);
}
