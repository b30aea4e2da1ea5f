import { describe, expect, it } from 'vitest';
import type { CostModel } from '../../src/cost/cost.js';
import type { PruningGroup } from '../../src/groups/group.js';
import { intersect, scheduleOf, targetAt } from '../../src/schedule/schedule.js';

describe('a schedule', () => {
  it('ends at the whole target', () => {
    expect(scheduleOf(1, 'linear')).toEqual([1]);
    expect(scheduleOf(4, 'linear')).toEqual([0.25, 0.5, 0.75, 1]);
    expect(scheduleOf(2, 'cubic')).toEqual([1 - 0.125, 1]);
    const cubic = scheduleOf(40, 'cubic');
    expect(cubic.every((share, i) => i === 0 || share > cubic[i - 1]!)).toBe(true);
  });
});

describe('the target of a step', () => {
  const cost = { macs: () => 1000, parameters: () => 200, bytes: () => 800 } as unknown as CostModel;

  it('is the share of a ratio', () => {
    expect(targetAt({ ratio: 0.4, ratios: { a: 0.8 } }, 0.5, cost)).toEqual({
      ratio: 0.2,
      ratios: { a: 0.4 },
    });
  });

  it('comes down from the dense cost, whatever the budget calls it', () => {
    expect(targetAt({ budget: { macs: '60%', params: 100 } }, 0.25, cost).budget).toEqual({
      macs: '900',
      parameters: '175',
    });
    expect(targetAt({ budget: { macs: 0.6 } }, 1, cost).budget).toEqual({ macs: 0.6 });
  });
});

describe('plans of two steps', () => {
  const group = (id: string): PruningGroup => ({ id, size: 6 }) as PruningGroup;
  const [a, b, c] = [group('a'), group('b'), group('c')];

  it('never bring back what is gone', () => {
    const earlier = { kept: new Map([[a, Int32Array.of(0, 2, 4)], [b, Int32Array.of(1)]]) }; // prettier-ignore
    const later = { kept: new Map([[a, Int32Array.of(0, 1, 4)], [c, Int32Array.of(5)]]) }; // prettier-ignore
    const both = intersect(later, earlier);
    expect([...both.kept.get(a)!]).toEqual([0, 4]);
    expect([...both.kept.get(b)!]).toEqual([1]);
    expect([...both.kept.get(c)!]).toEqual([5]);
  });
});
