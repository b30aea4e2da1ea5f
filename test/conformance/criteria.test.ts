import { describe, expect, it } from 'vitest';
import type { Criterion } from '../../src/criteria/criterion.js';
import { criteria } from '../../src/criteria/resolve.js';
import { dataNeeds } from '../../src/members/measured.js';
import { scoreGroups } from '../../src/criteria/score.js';
import { branches, chain, groupOf, grouped, transformer, type BuiltNetwork } from '../cost/network.js';

/** Elements of a weight whose axis 0 or 1 holds the channels of conv1, with the channels in another order. */
function permuted(order: readonly number[], scale: (channel: number) => number = () => 1) {
  const channels = order.length;
  return (name: string, dims: readonly number[]): ArrayLike<number> | undefined => {
    const axis = name.startsWith('conv1') || name.startsWith('bn1') ? 0 : name === 'conv2.weight' ? 1 : -1;
    if (axis < 0 || dims[axis] !== channels) return undefined;
    const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    const outer = dims.slice(0, axis).reduce((a, b) => a * b, 1);
    const out = new Float64Array(outer * channels * inner);
    for (let o = 0; o < outer; o++)
      for (let c = 0; c < channels; c++)
        for (let i = 0; i < inner; i++) {
          const source = (o * channels + order[c]!) * inner + i;
          // Of the size of weights, different for each channel, and exact in half precision.
          const value = (((source * 37 + name.length * 11 + order[c]! ** 2 * 5) % 64) - 31.5) / 32;
          out[(o * channels + c) * inner + i] = value * scale(order[c]!);
        }
    return out;
  };
}

const identity = Array.from({ length: 8 }, (_, i) => i);
const order = [3, 0, 7, 1, 6, 2, 5, 4];

function scoresOf(criterion: Criterion, network: BuiltNetwork): Float64Array | undefined {
  return scoreGroups(network.grouping, criterion, { seed: 1 }).get(groupOf(network, 'conv1.weight'));
}

/** Those that are measured on data have a suite of their own, data-criteria. */
const measured: ReadonlySet<string> = new Set(dataNeeds);
const fromWeights = Object.entries<Criterion>(criteria).filter(
  ([, { needs }]) => !needs.some((need) => measured.has(need)),
);

// Every criterion promises the first block; those that read weights the second.
describe.each(fromWeights)('criterion %s', (name, criterion) => {
  it.each([
    ['chain', chain()],
    ['branches', branches()],
    ['grouped', grouped()],
    ['transformer', transformer()],
  ])('gives one finite score ≥ 0 per channel of each group it can read (%s)', (_, { grouping }) => {
    const scores = scoreGroups(grouping, criterion);
    for (const [group, list] of scores) {
      expect(list).toHaveLength(group.size);
      expect([...list].every((score) => Number.isFinite(score) && score >= 0)).toBe(true);
      expect(new Set(list).size).toBeGreaterThan(1);
    }
    if (name !== 'bn-scale') expect(scores.size).toBe(grouping.groups.length);
  });

  it('gives the same scores again', () => {
    expect(scoresOf(criterion, chain())).toEqual(scoresOf(criterion, chain()));
  });

  it('does not change the weights', () => {
    const network = chain();
    const before = [...network.network.weights.values()].map(({ data }) => data.bytes().slice());
    scoreGroups(network.grouping, criterion);
    expect([...network.network.weights.values()].map(({ data }) => data.bytes())).toEqual(before);
  });

  if (!criterion.needs.includes('weights')) return;

  it('follows a permutation of the channels', () => {
    const straight = scoresOf(criterion, chain(8, 6, 'float32', permuted(identity)))!;
    const turned = scoresOf(criterion, chain(8, 6, 'float32', permuted(order)))!;
    order.forEach((channel, i) => expect(turned[i]).toBeCloseTo(straight[channel]!, 9));
  });

  it.each(['float64', 'float16', 'bfloat16'] as const)('gives the same scores for %s', (dtype) => {
    const single = scoresOf(criterion, chain(8, 6, 'float32', permuted(identity)))!;
    const other = scoresOf(criterion, chain(8, 6, dtype, permuted(identity)))!;
    expect(Array.from(other)).toEqual(Array.from(single, (score) => expect.closeTo(score, 9) as number));
  });

  it.runIf(name !== 'fpgm')('ranks a zeroed channel last, and a larger one above', () => {
    const scale = (channel: number): number => (channel === 5 ? 0 : channel === 2 ? 50 : 1);
    const scores = scoresOf(criterion, chain(8, 6, 'float32', permuted(identity, scale)))!;
    expect(scores[5]).toBe(0);
    expect(Math.min(...scores)).toBe(scores[5]);
    expect(Math.max(...scores)).toBe(scores[2]);
    expect([...scores].filter((score) => score === 0)).toHaveLength(1);
  });

  it('orders channels alike at any common scale', () => {
    const ranks = (factor: number): number[] => {
      const scores = scoresOf(
        criterion,
        chain(
          8,
          6,
          'float64',
          permuted(identity, () => factor),
        ),
      )!;
      return identity.toSorted((a, b) => scores[a]! - scores[b]!);
    };
    expect(ranks(4)).toEqual(ranks(1));
  });
});
