import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { product, sum, type Factor } from '../../src/axes/axis.js';
import { findPermutations } from '../../src/axes/permutation.js';
import { keepMask } from '../../src/axes/project.js';
import { AxisSystem } from '../../src/axes/system.js';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { graph, model, node, value } from '../shapes/build-model.js';

const origin = { node: 'test', op: 'Test', axis: '', why: 'conflict' };
const runtime = await nodeRuntime();

describe('atoms', () => {
  it('keep their identity through any order, cut and join', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.infiniteStream(fc.nat(1000)), (size, random) => {
        const system = new AxisSystem();
        const [a, b] = [system.factor(size), system.factor(size)] as [Factor, Factor];
        const joined = sum([a, product([system.blocked(2, origin), b])]);
        const positions = system.positions(joined)!;
        const order = positions.map((_, i) => i).sort(() => (random.next().value % 3) - 1);
        const permuted = sum(order.map((i) => positions[i]!));
        const cut = 1 + (random.next().value % (permuted.size - 1));
        const [left, right] = system.splitAt(permuted, cut);
        const kept = new Map(
          [a, b].map((factor) => [factor, Uint8Array.from({ length: size }, () => random.next().value % 2)]),
        );
        const before = keepMask(system, joined, kept);
        const after = [...keepMask(system, left!, kept), ...keepMask(system, right!, kept)];
        expect(after).toEqual(order.map((i) => before[i]));
        expect([...before]).toEqual([...kept.get(a)!, ...kept.get(b)!, ...kept.get(b)!]);
      }),
    );
  });

  it('are equal one by one where permutations meet, and stay where they meet what stays', () => {
    const system = new AxisSystem();
    const [a, b] = [system.factor(3), system.factor(3)] as [Factor, Factor];
    const [a0, a1, a2] = system.positions(a)!;
    system.unify(sum([a2!, a0!, a1!]), b, origin);
    const kept = new Map([[a, Uint8Array.of(1, 0, 1)]]);
    expect([...keepMask(system, b, kept)]).toEqual([1, 1, 0]);
    system.unify(a0!, system.factor(1), origin);
    expect([...keepMask(system, a, new Map([[a, Uint8Array.of(0, 0, 1)]]))]).toEqual([1, 0, 1]);
  });

  it('are not made where two free factors are nested', () => {
    const system = new AxisSystem();
    const axis = product([system.factor(3), system.factor(4)]);
    expect(system.positions(axis)).toBeUndefined();
    expect(system.leaves(axis)).toHaveLength(2);
  });
});

const channels = 12;

function weight(name: string, dims: readonly number[]) {
  const count = dims.reduce((product_, dim) => product_ * dim, 1);
  return floatTensor(name, fillNormal(new Float32Array(count), randomGenerator(name)), dims);
}

/** Two units of ShuffleNet: split, convolve one half, join, shuffle. */
function shuffleNet(byGather: boolean): Model {
  const shuffle = (input: string, output: string) =>
    byGather
      ? [node('Gather', [input, 'order'], [output], { axis: 1 })]
      : [
          node('Reshape', [input, 'apart'], [`${output}a`]),
          node('Transpose', [`${output}a`], [`${output}b`], { perm: [0, 2, 1, 3, 4] }),
          node('Reshape', [`${output}b`, 'together'], [output]),
        ];
  const unit = (input: string, output: string) => [
    node('Split', [input, 'halves'], [`${output}l`, `${output}r`], { axis: 1 }),
    node('Conv', [`${output}r`, `${output}w`], [`${output}c`]),
    node('Relu', [`${output}c`], [`${output}d`]),
    node('Concat', [`${output}l`, `${output}d`], [`${output}j`], { axis: 1 }),
    ...shuffle(`${output}j`, output),
  ];
  const order = Array.from({ length: channels }, (_, i) => (i % 2) * (channels / 2) + Math.floor(i / 2));
  return model(
    graph({
      nodes: [
        node('Conv', ['x', 'stem'], ['s']),
        ...unit('s', 'u'),
        ...unit('u', 'v'),
        node('Conv', ['v', 'head'], ['y']),
      ],
      inputs: [value('x', [1, 3, 5, 5])],
      outputs: [value('y', [1, 4, 5, 5])],
      initializers: [
        weight('stem', [channels, 3, 1, 1]),
        weight('uw', [channels / 2, channels / 2, 1, 1]),
        weight('vw', [channels / 2, channels / 2, 1, 1]),
        weight('head', [4, channels, 1, 1]),
        integerTensor('halves', [channels / 2, channels / 2]),
        integerTensor('apart', [1, 2, channels / 2, 5, 5]),
        integerTensor('together', [1, channels, 5, 5]),
        integerTensor('order', order),
      ],
    }),
  );
}

describe.each([
  ['Reshape, Transpose, Reshape', false],
  ['Gather', true],
])('a channel shuffle as %s', (_, byGather) => {
  it('leaves every channel free', async () => {
    const { grouping } = await analyze(shuffleNet(byGather), { runtime });
    expect(grouping.groups.map(({ name, size }) => `${name} ${size}`).sort()).toEqual([
      'stem 6',
      'stem 6',
      'uw 6',
      'vw 6',
    ]);
    for (const { pinned } of grouping.groups) expect([...(pinned ?? [])]).not.toContain(1);
  });

  it.each([0.25, 0.5, 0.75])('is pruned exactly at %d, at the cost that was told', async (ratio) => {
    const { model: pruned, report } = await prunePipeline(shuffleNet(byGather), {
      runtime,
      ratio,
      verify: 'full',
    });
    expect(report.verification?.passed).toBe(true);
    const after = await analyze(pruned, { runtime });
    expect(after.cost.macs()).toBe(report.macs.pruned);
    expect(after.cost.parameters()).toBe(report.parameters.pruned);
    // What is left can be pruned again.
    expect(after.grouping.groups.length).toBeGreaterThan(0);
  });
});

it('is found only where one axis is shuffled', () => {
  const shapes = new Map<string, number[]>([
    ['x', [2, 6, 4]],
    ['a', [2, 2, 3, 4]],
    ['b', [2, 3, 2, 4]],
    ['y', [2, 6, 4]],
    ['c', [2, 2, 4, 3]],
    ['z', [2, 6, 4]],
  ]);
  const facts = {
    shapeOf: (name: string) => shapes.get(name),
    numbersOf: () => undefined,
  };
  const chain = (middle: string, perm: number[], last: string) =>
    graph({
      nodes: [
        node('Reshape', ['x', 's'], ['a']),
        node('Transpose', ['a'], [middle], { perm }),
        node('Reshape', [middle, 't'], [last]),
      ],
    });
  const found = findPermutations(chain('b', [0, 2, 1, 3], 'y'), facts, () => false);
  expect([...found.get(0)!.sources]).toEqual([0, 3, 1, 4, 2, 5]);
  expect(found.get(0)!.axis).toBe(1);
  expect(findPermutations(chain('c', [0, 1, 3, 2], 'z'), facts, () => false).size).toBe(0);
});
