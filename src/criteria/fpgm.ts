import type { Floats } from '../onnx/values.js';
import { defineCriterion } from './criterion.js';
import { withRoles } from '../members/measured.js';
import { filtersOf } from '../members/weights.js';

/**
 * Sum of the Euclidean distances to all other filters: a filter near the geometric median of its layer can be
 * replaced by the others. He et al., "Filter Pruning via Geometric Median", 2019. Reads the weights that produce the
 * channel (those that contract it if there are none), quadratic in the number of channels.
 */
export const fpgm = defineCriterion({
  name: 'fpgm',
  needs: ['weights'],
  score: ({ group, weights }) => {
    const producers = weights.filter(({ role }) => role === 'produce');
    const read = producers.length > 0 ? producers : withRoles(weights, 'contract', 'batch');
    return read.map((member) => {
      const { rows, width } = filtersOf(member, group.size);
      return distanceSums(rows, group.size, width);
    });
  },
});

/** For each row the sum of its distances to all others. Four rows at a time share each load of another row. */
function distanceSums(rows: Floats, count: number, width: number): Float64Array {
  const out = new Float64Array(count);
  const pair = (i: number, j: number): void => {
    let squared = 0;
    for (let a = i * width, b = j * width, end = a + width; a < end; a++, b++) {
      const d = rows[a]! - rows[b]!;
      squared += d * d;
    }
    const distance = Math.sqrt(squared);
    out[i]! += distance;
    out[j]! += distance;
  };
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    for (let a = i; a < i + 4; a++) for (let b = a + 1; b < i + 4; b++) pair(a, b);
    for (let j = i + 4; j < count; j++) {
      const base = i * width;
      const other = j * width;
      let s0 = 0;
      let s1 = 0;
      let s2 = 0;
      let s3 = 0;
      for (let k = 0; k < width; k++) {
        const x = rows[other + k]!;
        const d0 = rows[base + k]! - x;
        const d1 = rows[base + width + k]! - x;
        const d2 = rows[base + 2 * width + k]! - x;
        const d3 = rows[base + 3 * width + k]! - x;
        s0 += d0 * d0;
        s1 += d1 * d1;
        s2 += d2 * d2;
        s3 += d3 * d3;
      }
      s0 = Math.sqrt(s0);
      s1 = Math.sqrt(s1);
      s2 = Math.sqrt(s2);
      s3 = Math.sqrt(s3);
      out[i]! += s0;
      out[i + 1]! += s1;
      out[i + 2]! += s2;
      out[i + 3]! += s3;
      out[j]! += s0 + s1 + s2 + s3;
    }
  }
  for (; i < count; i++) for (let j = i + 1; j < count; j++) pair(i, j);
  return out;
}
