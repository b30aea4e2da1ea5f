import type { Axis, Factor } from './axis.js';
import type { AxisSystem } from './system.js';

/** Where a factor occurs on an axis: the channel (index of the factor) at each of its positions. */
export interface Occurrences {
  readonly positions: Int32Array;
  readonly channels: Int32Array;
}

/**
 * All free factors of an axis in one walk: an axis that concatenates L layers belongs to L groups, which would
 * otherwise walk it L times. `coordinates` of axes/project says the same of one factor.
 */
export function occurrencesOf(system: AxisSystem, axis: Axis): ReadonlyMap<Factor, Occurrences> {
  const found = new Map<Factor, { positions: number[]; channels: number[] }>();
  const record = (factor: Factor, starts: readonly number[], stride: number): void => {
    if (factor.blocker) return;
    // An atom is one channel of the factor it came from.
    const whole = factor.origin?.factor ?? factor;
    const first = factor.origin?.index ?? 0;
    let entry = found.get(whole);
    if (!entry) found.set(whole, (entry = { positions: [], channels: [] }));
    for (const start of starts)
      for (let index = 0; index < factor.size; index++)
        for (let inner = 0; inner < stride; inner++) {
          entry.positions.push(start + index * stride + inner);
          entry.channels.push(first + index);
        }
  };
  /** `starts`: where copies of the expression begin; each of its positions is repeated `stride` times in place. */
  const visit = (expression: Axis, starts: readonly number[], stride: number): void => {
    const e = system.head(expression);
    if (e.kind === 'factor') record(e, starts, stride);
    else if (e.kind === 'sum') {
      let offset = 0;
      for (const term of e.terms) {
        const at = offset * stride;
        visit(
          term,
          starts.map((start) => start + at),
          stride,
        );
        offset += term.size;
      }
    } else {
      let inner = e.size;
      let outer = starts;
      for (const term of e.terms) {
        inner /= term.size;
        const step = inner * stride;
        visit(term, outer, step);
        outer = outer.flatMap((start) => Array.from({ length: term.size }, (_, i) => start + i * step));
      }
    }
  };
  visit(axis, [0], 1);
  return new Map(
    [...found].map(([factor, { positions, channels }]) => [
      factor,
      { positions: Int32Array.from(positions), channels: Int32Array.from(channels) },
    ]),
  );
}
