import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sum } from '../../src/axes/axis.js';
import { coordinates } from '../../src/axes/project.js';
import { defineCriterion } from '../../src/criteria/criterion.js';
import { occurrencesOf } from '../../src/axes/positions.js';
import { criteria, resolveCriterion } from '../../src/criteria/resolve.js';
import { aggregate, normalize } from '../../src/criteria/scheme.js';
import { scoreGroups } from '../../src/criteria/score.js';
import { axisSums, leadingSums } from '../../src/members/sums.js';
import { elementCount } from '../../src/onnx/tensor.js';
import { floatsOf, floatTensor, integerTensor, rawTensor, type FloatType } from '../../src/onnx/values.js';
import { branches, chain, groupOf, Network, transformer } from '../cost/network.js';

describe('group-level scheme', () => {
  const slices = [
    [1, 2, 3],
    [3, 2, 7],
  ];

  it('aggregates slices', () => {
    expect([...aggregate(slices, 'mean')]).toEqual([2, 2, 5]);
    expect([...aggregate(slices, 'sum')]).toEqual([4, 4, 10]);
    expect([...aggregate(slices, 'max')]).toEqual([3, 2, 7]);
    expect([...aggregate(slices, 'prod')]).toEqual([3, 4, 21]);
    expect([...aggregate(slices, 'first')]).toEqual([1, 2, 3]);
  });

  it('normalises within a group', () => {
    const scores = Float64Array.of(1, 3, 4);
    expect([...normalize(scores, 'none')]).toEqual([1, 3, 4]);
    expect([...normalize(scores, 'sum')]).toEqual([0.125, 0.375, 0.5]);
    expect([...normalize(scores, 'mean')]).toEqual([0.375, 1.125, 1.5]);
    expect([...normalize(scores, 'max')]).toEqual([0.25, 0.75, 1]);
    const gaussian = normalize(scores, 'gaussian');
    expect(gaussian.reduce((a, b) => a + b)).toBeCloseTo(0);
    expect(gaussian.reduce((a, b) => a + b * b, 0)).toBeCloseTo(3);
  });

  it('divides by all scores at least as high for lamp, ties included', () => {
    expect([...normalize(Float64Array.of(2, 1, 5), 'lamp')]).toEqual([2 / 7, 1 / 8, 1]);
    expect([...normalize(Float64Array.of(2, 2, 4), 'lamp')]).toEqual([2 / 8, 2 / 8, 1]);
  });

  it.each(['mean', 'sum', 'max', 'gaussian', 'lamp'] as const)('leaves zeros alone (%s)', (how) => {
    expect([...normalize(new Float64Array(3), how)]).toEqual([0, 0, 0]);
  });
});

describe('sums over axes', () => {
  it('agree with a sum element by element, for any shape, dtype and alignment', () => {
    const shape = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });
    const dtype = fc.constantFrom<FloatType>('float32', 'float64', 'float16', 'bfloat16');
    fc.assert(
      fc.property(shape, dtype, fc.constantFrom(1, 2), fc.boolean(), (dims, type, p, shifted) => {
        const size = elementCount(dims);
        const written = floatTensor('w', Float64Array.from({ length: size }, (_, i) => Math.sin(i * 7) * 2), dims, type); // prettier-ignore
        const bytes = written.data.bytes();
        const moved = new Uint8Array(bytes.length + 1);
        moved.set(bytes, 1);
        const tensor = shifted ? rawTensor('w', type, dims, moved.subarray(1)) : written;
        const values = floatsOf(written);
        dims.forEach((length, axis) => {
          const expected = new Float64Array(length);
          const inner = elementCount(dims.slice(axis + 1));
          values.forEach((v, i) => (expected[Math.floor(i / inner) % length]! += Math.abs(v) ** p));
          const sums = axis < 2 ? leadingSums(tensor, p)[axis]! : axisSums(tensor, axis, p);
          sums.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 9));
          axisSums(tensor, axis, p).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 9));
        });
      }),
      { numRuns: 60 },
    );
  });

  it('agree across the pieces that a large tensor is read in', () => {
    const dims = [70, 700, 3];
    const tensor = floatTensor(
      'w',
      Float32Array.from({ length: elementCount(dims) }, (_, i) => (i % 13) - 6),
      dims,
    );
    const [rows, columns] = leadingSums(tensor, 2);
    axisSums(tensor, 0, 2).forEach((value, i) => expect(rows[i]).toBe(value));
    axisSums(tensor, 1, 2).forEach((value, i) => expect(columns[i]).toBe(value));
  });
});

describe('positions of a group on an axis', () => {
  it.each([
    ['transformer', transformer()],
    ['branches', branches()],
  ])('are those of the algebra (%s)', (_, { grouping }) => {
    const { system } = grouping.analysis;
    const expressions = grouping.groups.flatMap(({ members }) =>
      members.map(({ parameter, axis }) => parameter.axes[axis]!),
    );
    // Several occurrences in one axis as well.
    expressions.push(sum([expressions[0]!, expressions.at(-1)!, expressions[0]!]));
    for (const expression of expressions)
      for (const [factor, { positions, channels }] of occurrencesOf(system, expression)) {
        const found = new Int32Array(expression.size).fill(-1);
        positions.forEach((position, i) => (found[position] = channels[i]!));
        expect(found).toEqual(coordinates(system, expression, factor));
      }
  });
});

describe('magnitude', () => {
  it('is the mean over both sides of the coupling, and the scale, of the squares of a channel', () => {
    const network = chain();
    const group = groupOf(network, 'conv1.weight');
    const read = (name: string) => floatsOf(network.network.weights.get(name)!);
    const expected = Array.from({ length: 8 }, (_, c) => {
      let produce = 0;
      let contract = 0;
      for (let i = 0; i < 27; i++) produce += read('conv1.weight')[c * 27 + i]! ** 2;
      for (let o = 0; o < 6; o++)
        for (let i = 0; i < 9; i++) contract += read('conv2.weight')[(o * 8 + c) * 9 + i]! ** 2;
      return (produce + contract + read('bn1.weight')[c]! ** 2) / 3;
    });
    const scores = scoreGroups(network.grouping, criteria.magnitude, { normalization: 'none' });
    scores.get(group)!.forEach((score, c) => expect(score).toBeCloseTo(expected[c]!, 10));
  });

  it('counts every row of a channel, and a tied tensor once', () => {
    const net = new Network('float32', (name, dims) =>
      Float32Array.from({ length: elementCount(dims) }, (_, i) => (name === 'E' ? (i % 5 ? 2 : -2) : 1)),
    );
    net.weight('E', 4, 6);
    // One hidden axis, seen by the same matrix on the way in and, turned, on the way out.
    const hidden = net.add('MatMul', 'in', [net.input('x', 2, 4), 'E'], [2, 6]);
    const turned = net.add('Transpose', 'turn', ['E'], [6, 4], { perm: [1, 0] });
    const built = net.build(net.add('MatMul', 'out', [net.relu(hidden), turned], [2, 4]));
    const [scores] = [...scoreGroups(built.grouping, criteria.magnitude, { normalization: 'none', aggregation: 'sum' }).values()]; // prettier-ignore
    expect([...scores!]).toEqual(new Array(6).fill(4 * 2 ** 2));
  });

  it('sums the gates of a recurrent layer', () => {
    const net = new Network('float32', (_, dims) => new Float32Array(elementCount(dims)).fill(1));
    const x = net.input('x', 7, 1, 5);
    const inputs = [x, net.weight('W', 1, 24, 5), net.weight('R', 1, 24, 6)];
    const y = net.add('LSTM', 'lstm', inputs, [7, 1, 1, 6], { hidden_size: 6 });
    net.weights.set('shape', integerTensor('shape', [7, 6]));
    const squeezed = net.add('Reshape', 'squeeze', [y, 'shape'], [7, 6]);
    const built = net.build(net.linear(squeezed, 'fc', 3));
    const group = groupOf(built, 'W', 1);
    const scores = scoreGroups(built.grouping, criteria.l1, { normalization: 'none', aggregation: 'first' });
    expect([...scores.get(group)!]).toEqual(new Array(6).fill(4 * 5));
  });
});

describe('fpgm', () => {
  it('sums the distances to all other filters', () => {
    for (const channels of [2, 5, 9]) {
      const network = chain(channels, 6);
      const weights = floatsOf(network.network.weights.get('conv1.weight')!);
      const distance = (a: number, b: number): number => {
        let squared = 0;
        for (let i = 0; i < 27; i++) squared += (weights[a * 27 + i]! - weights[b * 27 + i]!) ** 2;
        return Math.sqrt(squared);
      };
      const scores = scoreGroups(network.grouping, criteria.fpgm, { normalization: 'none' });
      scores.get(groupOf(network, 'conv1.weight'))!.forEach((score, a) => {
        let total = 0;
        for (let b = 0; b < channels; b++) total += distance(a, b);
        expect(score).toBeCloseTo(total, 6);
      });
    }
  });
});

describe('bn-scale', () => {
  it('reads the scale alone, and leaves groups without one unscored', () => {
    const network = chain();
    const scores = scoreGroups(network.grouping, criteria['bn-scale'], { normalization: 'none' });
    const scale = floatsOf(network.network.weights.get('bn1.weight')!);
    expect([...scores.get(groupOf(network, 'conv1.weight'))!]).toEqual(Array.from(scale, Math.abs));
    expect(scores.has(groupOf(network, 'conv2.weight'))).toBe(false);
  });
});

describe('random', () => {
  it('depends on the seed and differs between groups', () => {
    const { grouping } = chain(8, 8);
    const scores = (seed: number) => [...scoreGroups(grouping, criteria.random, { seed }).values()];
    expect(scores(1)).toEqual(scores(1));
    expect(scores(1)).not.toEqual(scores(2));
    expect(scores(1)[0]).not.toEqual(scores(1)[1]);
  });
});

describe('criteria of one’s own', () => {
  it('can be a name, a function or an object', () => {
    const network = chain();
    expect(resolveCriterion('lamp')).toBe(criteria.lamp);
    const reversed = resolveCriterion(({ group, weights }) => {
      expect(weights.map(({ role }) => role)).toContain('produce');
      return Array.from({ length: group.size }, (_, i) => group.size - i);
    });
    expect([...scoreGroups(network.grouping, reversed, { normalization: 'none' }).values()].map((s) => s[0])).toEqual([8, 6]); // prettier-ignore
    const own = defineCriterion({ name: 'own', needs: ['seed'], score: ({ group, seed }) => new Array<number>(group.size).fill(Number(seed)) }); // prettier-ignore
    expect(resolveCriterion(own)).toBe(own);
  });

  it('must have a known name', () => {
    expect(() => resolveCriterion('norm' as 'l1')).toThrow(
      'unknown criterion: norm; use one of magnitude, l1',
    );
    expect(() => resolveCriterion('toString' as 'l1')).toThrow('unknown criterion');
  });

  it('must return a finite number for each channel', () => {
    const { grouping } = chain();
    const score = (spec: () => number[] | number[][]) => () => scoreGroups(grouping, resolveCriterion(spec));
    expect(score(() => [1, 2])).toThrow(
      "gives 2 scores for group 'conv1.weight'; return one for each of its 8",
    );
    expect(score(() => new Array<number>(8).fill(NaN))).toThrow('channel 0 of group');
    expect(score(() => [[1], [2]])).toThrow('gives 1 scores');
  });

  it('stops when aborted', () => {
    const { grouping } = chain();
    expect(() => scoreGroups(grouping, criteria.l1, { signal: AbortSignal.abort() })).toThrow('aborted');
  });
});
