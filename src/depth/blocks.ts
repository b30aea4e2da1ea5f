import type { Branch } from './branches.js';
import type { DepthUnit } from './options.js';

/** Branches that go or stay together, in graph order. */
export type Block = readonly Branch[];

/**
 * Branches one by one, or grouped into the shortest sequence of kinds that repeats: attention and MLP in a transformer,
 * each on its own in a ResNet. From each branch on the period whose repetitions cover most is taken (of equals the
 * shortest); a branch that repeats nothing is a block of its own.
 */
export function blocksOf(branches: readonly Branch[], unit: DepthUnit): readonly Block[] {
  if (unit === 'branch') return branches.map((branch) => [branch]);
  const kinds = branches.map(({ kind }) => kind);
  const blocks: Block[] = [];
  for (let start = 0; start < branches.length;) {
    const { period, count } = bestPeriod(kinds, start);
    for (let k = 0; k < count; k++, start += period) blocks.push(branches.slice(start, start + period));
  }
  return blocks;
}

function bestPeriod(kinds: readonly string[], start: number): { period: number; count: number } {
  let best = { period: 1, count: 1 };
  for (let period = 1; 2 * period <= kinds.length - start; period++) {
    let length = period;
    while (start + length < kinds.length && kinds[start + length] === kinds[start + length - period])
      length++;
    const count = Math.floor(length / period);
    if (count > 1 && count * period > best.count * best.period) best = { period, count };
  }
  return best;
}
