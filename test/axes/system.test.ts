import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { product, sum, unit, type Axis, type Factor } from '../../src/axes/axis.js';
import { coordinates, keepMask } from '../../src/axes/project.js';
import { showAxis } from '../../src/axes/show.js';
import { AxisSystem } from '../../src/axes/system.js';
import { evaluate, polynomialOf } from '../../src/cost/polynomial.js';

const origin = { node: 'test', op: 'Test', axis: '', why: 'conflict' };

/** Shows axes with factors named by first appearance, so that two systems can be compared. */
function showAll(system: AxisSystem, axes: readonly Axis[]): string[] {
  const names = new Map<Factor, string>();
  return axes.map((axis) =>
    showAxis(system, axis, (factor) => {
      let name = names.get(factor);
      if (!name) names.set(factor, (name = `${String.fromCharCode(97 + names.size)}${factor.size}`));
      return name;
    }),
  );
}

describe('AxisSystem', () => {
  it('never makes a factor of size 1', () => {
    expect(new AxisSystem().factor(1)).toBe(unit);
  });

  it('binds a factor to the finer side', () => {
    const system = new AxisSystem();
    const [whole, g, c] = [system.factor(12), system.factor(3), system.factor(4)];
    system.unify(whole, product([g, c]), origin);
    expect(showAll(system, [whole, g, c])).toEqual(['(a3 b4)', 'a3', 'b4']);
  });

  it('refines two products to common factors', () => {
    const system = new AxisSystem();
    const left = product([system.factor(6), system.factor(4)]);
    const right = product([system.factor(2), system.factor(12)]);
    system.unify(left, right, origin);
    expect(showAll(system, [left, right])).toEqual(['(a2 b3 c4)', '(a2 b3 c4)']);
  });

  it('peels the common divisor of outer factors', () => {
    const system = new AxisSystem();
    const left = product([system.factor(6), system.factor(4)]);
    const right = product([system.factor(8), system.factor(3)]);
    system.unify(left, right, origin);
    // 24 = 2·(3·4) = 2·(4·3): the outer 2 is shared, 3 against 4 can't be aligned.
    expect(showAll(system, [left, right])).toEqual(['(a2 #12)', '(a2 #12)']);
  });

  it('splits sums where the pieces meet', () => {
    const system = new AxisSystem();
    const left = sum([system.factor(5), system.factor(3)]);
    const right = sum([system.factor(2), system.factor(6)]);
    system.unify(left, right, origin);
    expect(showAll(system, [left, right])).toEqual(['(a2 + b3 + c3)', '(a2 + b3 + c3)']);
  });

  it('couples the halves of a rotation: (a + b) ~ (b + a)', () => {
    const system = new AxisSystem();
    const [a, b] = [system.factor(4), system.factor(4)];
    system.unify(sum([a, b]), sum([b, a]), origin);
    expect(showAll(system, [sum([a, b])])).toEqual(['(a4 + a4)']);
  });

  it('distributes a sum over what is inner to it', () => {
    const system = new AxisSystem();
    const axis = product([sum([system.factor(2), system.factor(3)]), system.factor(4)]);
    expect(showAll(system, [axis])).toEqual(['(a2 b4 + c3 b4)']);
  });

  it('blocks both sides of a size conflict, with the reason', () => {
    const system = new AxisSystem();
    const [a, b] = [system.factor(4), system.factor(6)];
    system.unify(a, b, origin);
    expect((system.head(a) as Factor).blocker?.why).toBe("sizes 4 and 6 don't match");
    expect(system.isBlocked(b)).toBe(true);
  });

  it('never equates sizes that depend on data', () => {
    const system = new AxisSystem();
    const free = system.factor(4);
    system.unify(free, system.blocked(NaN, origin), origin);
    expect(system.isBlocked(free)).toBe(true);
  });

  it('blocks instead of shattering without end', () => {
    const system = new AxisSystem();
    const size = 10_007;
    const [a, b] = [system.factor(1), system.factor(size - 1)];
    // A roll by one: every position meets its neighbour.
    system.unify(sum([a, b]), sum([b, a]), origin);
    const axis = sum([a, b]);
    expect(system.isBlocked(axis)).toBe(true);
    expect(keepMask(system, axis, new Map())).toHaveLength(size);
  });

  it('survives long chains of splits and of equalities', () => {
    const system = new AxisSystem();
    let rest = system.factor(4000);
    const whole = rest;
    for (let i = 0; i < 1500; i++) rest = system.splitAt(rest, 2)[1]!;
    expect(system.leaves(whole)).toHaveLength(1501);
    const first = system.factor(8);
    let last = first;
    for (let i = 0; i < 50_000; i++) {
      const next = system.factor(8);
      system.unify(next, last, origin);
      last = next;
    }
    expect(system.head(first)).toBe(system.head(last));
  });
});

/** A random expression over a pool of shared factors, of exactly the given size. */
type Shape = { size: number; kind: 'factor' | 'product' | 'sum'; parts: Shape[]; pool: number };

const shapeOfSize = (size: number, depth: number): fc.Arbitrary<Shape> => {
  const leaf = fc.nat(3).map((pool): Shape => ({ size, kind: 'factor', parts: [], pool }));
  if (depth === 0 || size < 4) return leaf;
  const divisors = [2, 3, 4, 6].filter((d) => size % d === 0 && size / d > 1);
  const products = divisors.map((d) =>
    fc
      .tuple(shapeOfSize(d, depth - 1), shapeOfSize(size / d, depth - 1))
      .map((parts): Shape => ({ size, kind: 'product', parts, pool: 0 })),
  );
  const sums = [Math.floor(size / 2), 1, Math.floor(size / 3)]
    .filter((cut) => cut > 0)
    .map((cut) =>
      fc
        .tuple(shapeOfSize(cut, depth - 1), shapeOfSize(size - cut, depth - 1))
        .map((parts): Shape => ({ size, kind: 'sum', parts, pool: 0 })),
    );
  return fc.oneof(leaf, ...products, ...sums);
};

const statements = fc.constantFrom(8, 12, 24, 30, 36).chain((size) =>
  fc.record({
    pairs: fc.array(fc.tuple(shapeOfSize(size, 3), shapeOfSize(size, 3)), { minLength: 1, maxLength: 4 }),
    blockedPool: fc.option(fc.nat(3)),
  }),
);

/** Builds the expressions in one system; factors of equal size and pool number are shared. */
function build(system: AxisSystem, shapes: readonly Shape[], blockedPool: number | null): Axis[] {
  const pool = new Map<string, Axis>();
  const axisOf = ({ size, kind, parts, pool: index }: Shape): Axis => {
    if (kind !== 'factor') return (kind === 'sum' ? sum : product)(parts.map(axisOf));
    const key = `${size}/${index}`;
    let axis = pool.get(key);
    if (!axis) {
      axis = index === blockedPool ? system.blocked(size, origin) : system.factor(size);
      pool.set(key, axis);
    }
    return axis;
  };
  return shapes.map(axisOf);
}

/** For each position of each axis the indices of free factors that remove it, factors named by first appearance. */
function meaning(system: AxisSystem, axes: readonly Axis[]): string[] {
  const names = new Map<Factor, string>();
  return axes.map((axis) => {
    const free = [...new Set(system.leaves(axis).filter((factor) => !factor.blocker))];
    const at = free.map((factor) => coordinates(system, axis, factor));
    return Array.from({ length: axis.size }, (_, position) => {
      const indices = free.flatMap((factor, k) => {
        const index = at[k]![position]!;
        if (index < 0) return [];
        if (!names.has(factor)) names.set(factor, String.fromCharCode(97 + names.size));
        return [`${names.get(factor)}${index}`];
      });
      return indices.sort().join('.') || '#';
    }).join(' ');
  });
}

describe('unification, on random expressions', () => {
  it('keeps every stated equality true under any removal of free factors', () => {
    fc.assert(
      fc.property(statements, fc.infiniteStream(fc.nat(2)), ({ pairs, blockedPool }, coin) => {
        const system = new AxisSystem();
        const shapes = pairs.flat();
        const axes = build(system, shapes, blockedPool);
        for (let i = 0; i < axes.length; i += 2) system.unify(axes[i]!, axes[i + 1]!, origin);
        const kept = new Map<Factor, Uint8Array>();
        for (const factor of axes.flatMap((axis) => system.leaves(axis)))
          if (!factor.blocker && !kept.has(factor))
            kept.set(
              factor,
              Uint8Array.from({ length: factor.size }, () => (coin.next().value ? 1 : 0)),
            );
        const masks = axes.map((axis) => keepMask(system, axis, kept));
        for (let i = 0; i < axes.length; i += 2) expect([...masks[i]!]).toEqual([...masks[i + 1]!]);
        axes.forEach((axis, i) => {
          expect(axis.size).toBe(shapes[i]!.size);
          const count = evaluate(
            polynomialOf(system, axis, () => true),
            (factor) => {
              const mask = kept.get(factor);
              return mask ? mask.reduce((n, k) => n + k, 0) : factor.size;
            },
          );
          expect(count).toBe(masks[i]!.reduce((n, k) => n + k, 0));
        });
      }),
      { numRuns: 400 },
    );
  });

  it('gives the same factors in any order of statements that can be aligned', () => {
    fc.assert(
      fc.property(statements, fc.nat(), ({ pairs, blockedPool }, seed) => {
        const shown = [false, true].map((shuffled) => {
          const system = new AxisSystem();
          const axes = build(system, pairs.flat(), blockedPool);
          const order = pairs.map((_, i) => i);
          if (shuffled) order.sort((a, b) => ((a * 7919 + seed) % 13) - ((b * 7919 + seed) % 13));
          for (const i of order)
            if (shuffled) system.unify(axes[2 * i + 1]!, axes[2 * i]!, origin);
            else system.unify(axes[2 * i]!, axes[2 * i + 1]!, origin);
          // What a conflict blocks depends on what was known when it was met; it is sound in any order.
          fc.pre(system.conflicts === 0);
          return meaning(system, axes);
        });
        expect(shown[1]).toEqual(shown[0]);
      }),
      { numRuns: 400 },
    );
  });
});

describe('coordinates', () => {
  it('finds a factor in sums and products', () => {
    const system = new AxisSystem();
    const [h, d] = [system.factor(2), system.factor(3)] as [Factor, Factor];
    const axis = sum([product([h, d]), system.factor(2), d]);
    expect([...coordinates(system, axis, d)]).toEqual([0, 1, 2, 0, 1, 2, -1, -1, 0, 1, 2]);
    expect([...coordinates(system, axis, h)]).toEqual([0, 0, 0, 1, 1, 1, -1, -1, -1, -1, -1]);
  });
});
