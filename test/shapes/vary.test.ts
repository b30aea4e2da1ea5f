import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { inferShapes } from '../../src/shapes/shapes.js';
import { variationOf } from '../../src/shapes/variation.js';
import { trialShapes } from '../../src/verify/trial-sizes.js';
import { model, node, value } from './build-model.js';

const runtime = await nodeRuntime();

async function sizesOf(graph: Model, shapes: Record<string, readonly number[]> = {}) {
  const pinned = await inferShapes(graph, runtime, { shapes });
  const variation = await variationOf(graph, pinned, runtime);
  const rewriting = [];
  for (let next = await variation?.next(); next; next = await variation?.next())
    rewriting.push(Object.fromEntries(next.inputs));
  const proof = (await trialShapes(graph, pinned, runtime)).map(({ inputs }) => Object.fromEntries(inputs));
  return { pinned: Object.fromEntries(pinned.inputs), rewriting, proof };
}

const every = (sizes: Awaited<ReturnType<typeof sizesOf>>, axis: number): number[] =>
  [sizes.pinned, ...sizes.rewriting, ...sizes.proof].map(({ x }) => x![axis]!);

describe('sizes of symbolic dims', () => {
  it('move each on its own, and no proof uses one that rewriting tries', async () => {
    const sizes = await sizesOf(
      model({
        inputs: [value('x', ['batch', 3, 'height', 'width'])],
        outputs: [value('y')],
        nodes: [node('Relu', ['x'], ['y'])],
      }),
    );
    expect(sizes.rewriting).toHaveLength(4);
    expect(sizes.proof).toHaveLength(2);
    for (const { x } of [...sizes.rewriting, ...sizes.proof]) expect(x![2]).not.toBe(x![3]);
    for (const axis of [2, 3]) expect(new Set(every(sizes, axis)).size).toBe(7);
    const rewritten = new Set(sizes.rewriting.map(({ x }) => x![0]));
    for (const { x } of sizes.proof) expect(rewritten).not.toContain(x![0]);
    expect(sizes.proof[0]!['x']![2]).toBeLessThan(sizes.pinned['x']![2]!);
  });

  it.each([32, 64, 160])('are multiples where a model takes nothing else (%i)', async (stride) => {
    const graph = model({
      inputs: [value('x', [1, 'length'])],
      outputs: [value('y')],
      initializers: [integerTensor('rows', [stride, -1])],
      nodes: [node('Reshape', ['x', 'rows'], ['h']), node('Relu', ['h'], ['y'])],
    });
    const sizes = await sizesOf(graph, { x: [1, 4 * stride] });
    const tried = new Set(sizes.rewriting.map(({ x }) => x![1]!));
    expect(tried.size).toBeGreaterThan(1);
    expect(sizes.proof.length).toBeGreaterThan(0);
    for (const { x } of sizes.proof) expect(tried).not.toContain(x![1]);
    for (const size of every(sizes, 1)) expect(size % stride).toBe(0);
  });

  it('are alike where two dims must be', async () => {
    const graph = model({
      inputs: [value('x', ['batch', 'one']), value('z', ['batch', 'other'])],
      outputs: [value('y')],
      nodes: [node('Concat', ['x', 'z'], ['y'], { axis: 0 })],
    });
    const sizes = await sizesOf(graph);
    const all = [...sizes.rewriting, ...sizes.proof];
    expect(all.length).toBeGreaterThan(4);
    for (const { x, z } of all) expect(x).toEqual(z);
  });

  it('move where they can beside one that is fixed in truth', async () => {
    const graph = model({
      inputs: [value('x', ['batch', 'length', 4])],
      outputs: [value('y')],
      initializers: [floatTensor('positions', new Array<number>(40).fill(1), [10, 4])],
      nodes: [node('Add', ['x', 'positions'], ['y'])],
    });
    const sizes = await sizesOf(graph, { x: [1, 10, 4] });
    for (const { x } of [...sizes.rewriting, ...sizes.proof]) {
      expect(x![0]).toBeGreaterThan(1);
      expect(x![1]).toBe(10);
    }
    expect(sizes.proof).toHaveLength(1);
  });

  it('are none in a model without', async () => {
    const graph = model({
      inputs: [value('x', [1])],
      outputs: [value('y')],
      nodes: [node('Relu', ['x'], ['y'])],
    });
    expect(await variationOf(graph, await inferShapes(graph, runtime), runtime)).toBeUndefined();
  });
});
