import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../src/data/batch.js';
import { AccuracyCounter, argmax, classScores } from '../../src/evaluate/classification.js';
import { DifferenceCounter } from '../../src/evaluate/difference.js';

const batch = (labels: number[]): Batch => ({
  inputs: {},
  labels: Int32Array.from(labels),
  size: labels.length,
  valid: labels.length,
});

describe('AccuracyCounter', () => {
  it('counts as sorting does: top-1 and, from 100 classes on, top-5', () => {
    // Few distinct scores, so that ties are common; of equals the lower index stands first.
    const row = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 100, maxLength: 100 });
    fc.assert(
      fc.property(fc.array(fc.tuple(row, fc.nat({ max: 99 })), { minLength: 1, maxLength: 5 }), (rows) => {
        const values = rows.flatMap(([scores]) => scores);
        const labels = rows.map(([, label]) => label);
        const counter = new AccuracyCounter();
        counter.add({ output: 'y', classes: 100, values }, batch(labels));
        const places = rows.map(
          ([scores, label]) =>
          scores.map((score, index) => ({ score, index })).sort((a, b) => b.score - a.score).findIndex(({ index }) => index === label), // prettier-ignore
        );
        const share = (k: number) => places.filter((place) => place < k).length / rows.length;
        expect(counter.result()).toMatchObject({ examples: rows.length, top1: share(1), top5: share(5) });
        rows.forEach(([scores], i) => {
          expect(argmax({ output: 'y', classes: 100, values }, i)).toBe(scores.indexOf(Math.max(...scores)));
        });
      }),
      { numRuns: 60 },
    );
  });

  it('never takes NaN for a hit', () => {
    const counter = new AccuracyCounter();
    counter.add({ output: 'y', classes: 2, values: [NaN, NaN, NaN, -Infinity] }, batch([0, 1]));
    expect(counter.result()).toEqual({ output: 'y', examples: 2, hits: 1, top1: 0.5 });
    expect(argmax({ output: 'y', classes: 2, values: [NaN, NaN] }, 0)).toBe(-1);
  });
});

describe('classScores', () => {
  const float = (dims: number[]) => ({
    dtype: 'float32' as const,
    dims,
    data: new Float32Array(dims.reduce((product, dim) => product * dim, 1)),
  });

  it('takes the first output of shape [batch, classes], or the named one', () => {
    const outputs = {
      map: float([2, 3, 4, 4]),
      probability: float([2, 1]),
      pooled: float([2, 8, 1, 1]),
      logits: float([2, 5]),
    };
    expect(classScores(outputs, 2, undefined)).toMatchObject({ output: 'pooled', classes: 8 });
    expect(classScores(outputs, 2, 'logits')).toMatchObject({ output: 'logits', classes: 5 });
    expect(() => classScores(outputs, 2, 'map')).toThrow(
      "output 'map' has shape [2, 3, 4, 4]; name one of shape",
    );
    expect(classScores({ map: outputs.map }, 2, undefined)).toBeUndefined();
  });
});

describe('DifferenceCounter', () => {
  const y = (...values: number[]) => ({
    y: { dtype: 'float32' as const, dims: [1, values.length], data: Float32Array.from(values) },
  });

  it('sums over batches, leaving NaN and infinity out but counted', () => {
    const counter = new DifferenceCounter();
    counter.add(y(1, 2, NaN), y(1, 4, 0));
    counter.add(y(0, 0, 1), y(0, Infinity, -1));
    expect(counter.differences()).toEqual([{ output: 'y', mean: 1, max: 2, relative: 4 / 6, nonFinite: 2 }]);
    expect(() => counter.add(y(1), y(1, 2))).toThrow(
      "output 'y' has shape [1, 1], not [1, 2] as in the reference",
    );
    expect(() => counter.add({}, y(1))).toThrow("output 'y' is missing");
  });
});
