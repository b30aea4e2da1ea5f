import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { decodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf, floatTensor, integersOf, integerTensor, withBytes } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { provePlan } from '../../src/pipeline/prove-plan.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { saturatesProducts } from '../../src/runtime/saturation.js';
import { withExactProducts } from '../../src/verify/exact-products.js';
import { openSession, runSession } from '../../src/verify/run.js';
import { saturating } from '../oracles/saturating.js';
import { model, node, value } from '../shapes/build-model.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const read = async (name: string): Promise<Model> =>
  decodeModel(await readFile(new URL(`../cases/eight-bit/${name}_int8.onnx`, import.meta.url)));

const inputOf = (dims: readonly number[]) => {
  const random = randomGenerator('eight-bit');
  const count = dims.reduce((a, b) => a * b, 1);
  return new Map([['x', floatTensor('x', Array.from({ length: count }, () => 3 * normal(random)), dims)]]); // prettier-ignore
};

async function outputOf(network: Model, dims: readonly number[], on: Runtime): Promise<number[]> {
  const session = await openSession(network, ['y'], on);
  try {
    return [...floatsOf((await runSession(session, inputOf(dims), on)).get('y')!)];
  } finally {
    await session.release();
  }
}

it('tells a CPU that adds products at 16 bits', async () => {
  expect(await saturatesProducts(saturating(runtime))).toBe(true);
});

describe.each([
  ['shuffle', [2, 3, 8, 8]],
  ['transformer', [2, 6, 8]],
])('of the 8-bit %s', (name, dims) => {
  it('saturated products change what it computes, and exact ones are not saturated', async () => {
    const network = await read(name);
    const { shapes } = await analyze(network, { runtime });
    const exact = withExactProducts(network, (value) => shapes.dtypeOf(value));
    const expected = await outputOf(exact, dims, runtime);
    expect(await outputOf(exact, dims, saturating(runtime))).toEqual(expected);
    expect(await outputOf(network, dims, saturating(runtime))).not.toEqual(expected);
  });

  it.each([true, false])('the proof passes, also where they saturate: %s', async (saturates) => {
    const on = saturates ? saturating(runtime) : runtime;
    const { report } = await prunePipeline(await read(name), { runtime: on, ratio: 0.5, verify: 'full' });
    const { verification, warnings } = report;
    expect(verification).toMatchObject({ passed: true, maxError: 0 });
    expect(verification!.compared).toBeGreaterThan(25);
    const isTold = warnings.filter((warning) => warning.includes('8-bit products')).length;
    expect(isTold).toBe((await saturatesProducts(on)) ? 1 : 0);
  });

  it('a wrong weight is refused where products saturate', async () => {
    const on = saturating(runtime);
    const network = await read(name);
    const { model: pruned, ...result } = await prunePipeline(network, { runtime: on, ratio: 0.5 });
    const analysis = await analyze(network, { runtime: on });
    const prove = (candidate: Model) =>
      provePlan(analysis, candidate, result.planFile(''), { level: 'full' });
    expect((await prove(pruned)).failure).toBeUndefined();
    const initializers = pruned.graph.initializers.map((tensor) => {
      if (tensor.dtype !== 'int8' || tensor.dims.length < 2) return tensor;
      return withBytes(tensor, tensor.data.bytes().slice().reverse());
    });
    const wrong = { ...pruned, graph: { ...pruned.graph, initializers } };
    expect((await prove(wrong)).failure?.kind).toBe('value');
  });
});

it('products of two signed numbers are exact too, with and without zero points', async () => {
  const signed = model({
    inputs: [],
    outputs: [value('y', [2, 3], 'int32'), value('z', [2, 3], 'int32')],
    initializers: [
      integerTensor('a', [-128, 127, 5, -6], [2, 2], 'int8'),
      integerTensor('b', [-128, 127, 3, -4, 100, -128], [2, 3], 'int8'),
      integerTensor('zero', [-7], [], 'int8'),
    ],
    nodes: [
      node('MatMulInteger', ['a', 'b'], ['y']),
      node('MatMulInteger', ['a', 'b', 'zero', 'zero'], ['z']),
    ],
  });
  const [a, b] = [[-128, 127, 5, -6], [-128, 127, 3, -4, 100, -128]]; // prettier-ignore
  const product = (zero: number): number[] =>
    [0, 1].flatMap((i) =>
      [0, 1, 2].map((j) => [0, 1].reduce((s, k) => s + (a[2 * i + k]! - zero) * (b[3 * k + j]! - zero), 0)),
    );
  const exact = withExactProducts(signed, () => undefined);
  expect(exact).not.toBe(signed);
  const session = await openSession(exact, ['y', 'z'], saturating(runtime));
  const got = await runSession(session, new Map(), runtime);
  await session.release();
  expect(integersOf(got.get('y')!)).toEqual(product(0));
  expect(integersOf(got.get('z')!)).toEqual(product(-7));
});
