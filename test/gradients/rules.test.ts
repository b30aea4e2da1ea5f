import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Batch } from '../../src/data/batch.js';
import type { Loss } from '../../src/gradients/losses.js';
import { gradientRuleFamilies, gradientRules } from '../../src/gradients/rules/index.js';
import { GradientRunner } from '../../src/gradients/session.js';
import type { AttributeValue, Model } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { integerTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { graph, model, node } from '../onnx/build.js';
import { contraction } from './reference/contraction.js';
import { elementwise } from './reference/elementwise.js';
import { indexing } from './reference/indexing.js';
import { movement } from './reference/movement.js';
import { type Attributes, type Case, type Cases, Draw, type Nd } from './reference/nd.js';
import { normalization } from './reference/normalization.js';
import { pooling } from './reference/pooling.js';
import { recurrent } from './reference/recurrent.js';
import { reduction } from './reference/reduction.js';

/**
 * Every rule against central differences of a forward pass in doubles, written from the op's definition: the gradient
 * of Σ r·y with random r, on random shapes.
 */
const families: Readonly<Record<string, Cases>> = {
  elementwise, contraction, normalization, pooling, reduction, movement, indexing, recurrent,
}; // prettier-ignore

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

it('covers every rule', () => {
  const tested = Object.values(families).flatMap((cases) => Object.keys(cases));
  const smooth = [...gradientRules.keys()].filter((op) => !(op in gradientRuleFamilies.constant!));
  expect(tested.sort()).toEqual(smooth.sort());
});

for (const [family, cases] of Object.entries(families))
  describe(family, () => {
    it.each(Object.entries(cases))('%s', async (op, makers) => {
      for (const [i, make] of makers.entries())
        await fc.assert(
          fc.asyncProperty(fc.integer({ min: 0, max: 1e6 }), async (seed) => {
            await agrees(op, make(new Draw(`${op}:${i}:${seed}`)));
          }),
          { numRuns: makers.length > 2 ? 2 : 3, endOnFailure: true },
        );
    }); // prettier-ignore
  });

async function agrees(op: string, given: Case): Promise<void> {
  const y = given.forward(given.inputs);
  const random = new Draw(1);
  const directions = y.map(({ dims }) => random.uniform(dims, -1, 1, []));
  const runner = new GradientRunner({
    model: modelOf(op, given),
    runtime,
    loss: projection(directions),
    wrt: given.inputs.map((_, i) => `x${i}`),
  });
  try {
    const { loss, gradients } = await runner.run(batchOf(given.inputs));
    const value = (inputs: readonly Nd[]): number =>
      given.forward(inputs).reduce((sum, out, k) => sum + project(out, directions[k]!), 0);
    const scale = Math.max(1, ...y.map((out) => out.data.reduce((a, b) => a + Math.abs(b), 0)));
    expect(Math.abs(loss - value(given.inputs)) / scale, 'forward').toBeLessThan(1e-4);
    given.inputs.forEach((_, i) => {
      const expected = differences(given.inputs, i, value);
      const found = gradients.get(`x${i}`) ?? new Float32Array(expected.length);
      expect(found.length).toBe(expected.length);
      const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const off = expected.reduce((a, b, k) => Math.max(a, Math.abs(b - found[k]!)), 0);
      expect(off, `input ${i} of ${JSON.stringify({ ...given.attributes, dims: given.inputs.map((x) => x.dims) })}`).toBeLessThanOrEqual(1e-3 * largest + 1e-6); // prettier-ignore
    });
  } finally {
    await runner.release();
  }
}

function differences(
  inputs: readonly Nd[],
  i: number,
  value: (inputs: readonly Nd[]) => number,
): Float64Array {
  const step = 1e-5;
  return inputs[i]!.data.map((_, k) => {
    const at = (sign: number): number => {
      const data = inputs[i]!.data.slice();
      data[k]! += sign * step;
      return value(inputs.with(i, { dims: inputs[i]!.dims, data }));
    };
    return (at(1) - at(-1)) / (2 * step);
  });
}

const project = (out: Nd, direction: Nd): number =>
  out.data.reduce((sum, v, i) => sum + v * direction.data[i]!, 0);

/** Σ r·y over the outputs, in order. */
function projection(directions: readonly Nd[]): Loss {
  return {
    name: 'projection',
    emit: ({ emit, outputs }) => {
      const seeds = directions.map(({ data, dims }) => emit.floats(data, dims));
      const parts = seeds.map((seed, k) =>
        emit.op('ReduceSum', [emit.mul(seed, outputs[k]!.name)], { keepdims: 0 }),
      );
      const cotangents = new Map(seeds.map((seed, k) => [outputs[k]!.name, seed]));
      return { value: emit.op('Sum', parts), cotangents };
    },
  };
}

function batchOf(inputs: readonly Nd[]): Batch {
  const size = inputs[0]!.dims[0] ?? 1;
  return {
    inputs: Object.fromEntries(
      inputs.map(({ dims, data }, i) => [`x${i}`, { dtype: 'float32', dims, data: Float32Array.from(data) }]),
    ),
    size,
    valid: size,
  };
}

function modelOf(op: string, given: Case): Model {
  const { inputs, integers = {}, booleans = {}, attributes = {}, outputs = [0], opset = 17 } = given;
  const places =
    given.places ?? freePlaces(inputs.length, [...Object.keys(integers), ...Object.keys(booleans)]);
  const names: string[] = [];
  places.forEach((place, i) => (names[place] = `x${i}`));
  const initializers: Tensor[] = [];
  for (const [dtype, constants] of [['int64', integers], ['bool', booleans]] as const)
    for (const [place, { dims, data }] of Object.entries(constants)) {
      names[Number(place)] = `c${place}`;
      initializers.push(integerTensor(`c${place}`, data, dims, dtype));
    } // prettier-ignore
  const results = Array.from({ length: Math.max(...outputs) + 1 }, (_, k) =>
    outputs.includes(k) ? `y${k}` : '',
  );
  const own = node(op, Array.from(names, (name) => name ?? ''), results, attributesOf(attributes)); // prettier-ignore
  // TopK and Split have outputs that must be there though nothing reads them.
  const nodes = [op === 'TopK' || op === 'Split' ? { ...own, outputs: ['y0', 'y1'] } : own];
  const info = (name: string, shape: readonly number[]) => ({
    name,
    docString: '',
    type: {
      kind: 'tensor' as const,
      dtype: 'float32' as const,
      shape: shape.map((value) => ({ value, denotation: '' })),
      denotation: '',
    },
  });
  const main = graph(nodes, [], results.filter(Boolean), initializers);
  const graphInputs = inputs.map(({ dims }, i) => info(`x${i}`, dims));
  return model({ ...main, inputs: graphInputs }, opset);
}

/** Positions that no constant takes, in order. */
function freePlaces(n: number, taken: readonly string[]): number[] {
  const places: number[] = [];
  for (let place = 0; places.length < n; place++) if (!taken.includes(String(place))) places.push(place);
  return places;
}

function attributesOf(attributes: Attributes): Record<string, AttributeValue> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]): [string, AttributeValue] => {
      if (typeof value === 'number') return [name, { type: 'int', value: BigInt(value) }];
      if (typeof value === 'string')
        return [name, { type: 'string', value: new TextEncoder().encode(value) }];
      if ('float' in value) return [name, { type: 'float', value: value.float }];
      if ('floats' in value) return [name, { type: 'floats', value: value.floats }];
      return [name, { type: 'ints', value: value.map(BigInt) }];
    }),
  );
}
