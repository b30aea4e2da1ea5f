import { PruneError } from '../errors.js';
import { integerBelow, randomGenerator, type RandomGenerator } from '../random/random.js';
import type { DrawOptions } from './options.js';

/** Indices of the examples to use, in order: the same seed gives the same draw. */
export function drawOrder(count: number, labels: Int32Array | undefined, options: DrawOptions): Uint32Array {
  const { draw = 'first', seed = 0 } = options;
  const limit = Math.min(options.limit ?? count, count);
  const all = Uint32Array.from({ length: count }, (_, index) => index);
  if (draw === 'first') return all.subarray(0, limit);
  const random = randomGenerator(seed);
  if (draw === 'shuffle') return shuffle(all, random).subarray(0, limit);
  if (!labels) {
    throw new PruneError(
      'invalid-option',
      'a balanced draw needs labels; give a labels file, or draw with shuffle',
    );
  }
  return balanced(shuffle(all, random), labels, limit);
}

/** Round-robin over the classes, so that every stretch of the order is balanced too. */
function balanced(shuffled: Uint32Array, labels: Int32Array, limit: number): Uint32Array {
  const byClass = new Map<number, number[]>();
  for (const index of shuffled) {
    const label = labels[index]!;
    const members = byClass.get(label);
    if (members) members.push(index);
    else byClass.set(label, [index]);
  }
  const classes = [...byClass].sort(([a], [b]) => a - b).map(([, members]) => members);
  const order = new Uint32Array(limit);
  let taken = 0;
  for (let round = 0; taken < limit; round++) {
    for (const members of classes) {
      if (round < members.length && taken < limit) order[taken++] = members[round]!;
    }
  }
  return order;
}

/** Fisher–Yates, in place. */
export function shuffle(order: Uint32Array, random: RandomGenerator): Uint32Array {
  for (let last = order.length - 1; last > 0; last--) {
    const other = integerBelow(last + 1, random);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
