import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { findBranches, type Branch } from '../../src/depth/branches.js';
import { gateBranches, removeBranches } from '../../src/depth/remove.js';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import type { Graph, Model } from '../../src/onnx/model.js';
import { validateModel } from '../../src/onnx/validate.js';
import { integerTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { graph } from '../shapes/build-model.js';
import { mlp, model, node, run, silenced, transformer, value, weight, width } from './network.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

async function branchesOf(dense: Model): Promise<readonly Branch[]> {
  const { cost, shapes } = await analyze(dense, { runtime });
  const [dtypeOf, shapeOf] = [(name: string) => shapes.dtypeOf(name), (name: string) => shapes.of(name)];
  return findBranches({ model: dense, cost, dtypeOf, shapes: [shapeOf] }).branches;
}

describe('removing branches', () => {
  it('is exact for any subset of any stack: the dense model with their last weights at zero', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('attention' as const, 'mlp' as const), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('pre' as const, 'post' as const),
        fc.integer({ min: 0, max: 15 }),
        async (kinds, order, bits) => {
          const dense = transformer(kinds, order);
          const branches = await branchesOf(dense);
          expect(branches).toHaveLength(kinds.length);
          const chosen = branches.filter((_, k) => bits & (1 << k));
          const { model: shortened } = removeBranches(dense, chosen);
          expect(validateModel(shortened)).toEqual([]);
          // Whatever the model still computes is compared, not only its outputs.
          const values = shortened.graph.nodes.flatMap(({ outputs }) => outputs);
          const gone = kinds.map((_, k) => k).filter((k) => bits & (1 << k));
          const expected = await run(runtime, silenced(dense, gone), values);
          expect(await run(runtime, shortened, values)).toEqual(expected);
          for (const k of gone)
            expect(shortened.graph.initializers.map(({ name }) => name)).not.toContain(`out${k}`);
        },
      ),
      { numRuns: 25, seed: 7 },
    );
  });

  it('keeps the name of a sum that is an output, and of one that a body reads', async () => {
    const piece = mlp(0, 'x');
    const body = (op: string): Graph =>
      graph({ nodes: [node(op, ['s'], [`${op}_y`])], outputs: [value(`${op}_y`, undefined)] });
    const dense = model({
      inputs: [value('x', ['n', 4, width])],
      outputs: [value('s'), value('y')],
      initializers: [...piece.weights, integerTensor('yes', [1], [], 'bool')],
      nodes: [
        ...piece.nodes,
        node('Add', ['f0', 'x'], ['s'], {}, 'sum'),
        node('If', ['yes'], ['y'], { then_branch: body('Relu'), else_branch: body('Neg') }),
      ],
    });
    const branches = await branchesOf(dense);
    const { model: shortened } = removeBranches(dense, branches);
    const [first] = shortened.graph.nodes;
    expect(first).toMatchObject({ name: 'sum', opType: 'Identity', inputs: ['x'], outputs: ['s'] });
    expect(shortened.graph.nodes).toHaveLength(2);
    expect(await run(runtime, shortened)).toEqual(await run(runtime, silenced(dense, [0])));
  });

  it('leaves a Sum with what stays, and nothing of it where one value does', async () => {
    const [one, two] = [mlp(0, 'x'), mlp(1, 'x')];
    const dense = model({
      inputs: [value('x', ['n', 4, width])],
      outputs: [value('y')],
      initializers: [...one.weights, ...two.weights],
      nodes: [
        ...one.nodes,
        ...two.nodes,
        node('Sum', ['f0', 'x', 'f1'], ['s'], {}, 'sum'),
        node('Relu', ['s'], ['y']),
      ],
    });
    const branches = await branchesOf(dense);
    const half = removeBranches(dense, branches.slice(0, 1)).model;
    expect(half.graph.nodes.find(({ name }) => name === 'sum')?.inputs).toEqual(['x', 'f1']);
    expect(await run(runtime, half)).toEqual(await run(runtime, silenced(dense, [0])));
    const none = removeBranches(dense, branches).model;
    expect(none.graph.nodes).toEqual([node('Relu', ['x'], ['y'])]);
    expect(none.graph.initializers).toEqual([]);
  });

  it('drops what the file says of values that are gone, and keeps the rest of it', async () => {
    const dense = transformer(['mlp', 'mlp']);
    const noted = {
      ...dense,
      docString: 'as it was',
      graph: {
        ...dense.graph,
        valueInfos: [value('h0', ['n', 4, 12]), value('h1', ['n', 4, 12])],
        quantizationAnnotations: ['r0', 'r1'].map((tensorName) => ({ tensorName, entries: [] })),
      },
    };
    const [first] = await branchesOf(noted);
    const { model: shortened, removed } = removeBranches(noted, [first!]);
    expect(shortened.graph.valueInfos.map(({ name }) => name)).toEqual(['h1']);
    expect(shortened.graph.quantizationAnnotations.map(({ tensorName }) => tensorName)).toEqual(['r1']);
    expect(shortened.docString).toBe('as it was');
    expect(removed.map(({ outputs }) => outputs[0])).toEqual(
      expect.arrayContaining(['s0', 'n0', 'h0', 'f0']),
    );
    expect(decodeModel(encodeModel(shortened)).graph.nodes).toHaveLength(shortened.graph.nodes.length);
  });

  it('has an oracle of its own: the branches multiplied by zero', async () => {
    const dense = transformer(['attention', 'mlp', 'mlp'], 'post');
    const { shapes } = await analyze(dense, { runtime });
    const branches = await branchesOf(dense);
    const gated = gateBranches(dense, [branches[0]!, branches[2]!], (name) => shapes.dtypeOf(name));
    expect(await run(runtime, gated)).toEqual(await run(runtime, silenced(dense, [0, 2])));
    expect(
      await run(
        runtime,
        gateBranches(dense, [], () => undefined),
      ),
    ).toEqual(await run(runtime, dense));
  });

  it('leaves weights that others read', async () => {
    const [one, two] = [mlp(0, 'x'), mlp(1, 's')];
    const dense = model({
      inputs: [value('x', ['n', 4, width])],
      outputs: [value('y')],
      initializers: [...one.weights, ...two.weights, weight('w', [width, width])],
      nodes: [
        ...one.nodes,
        node('Add', ['x', 'f0'], ['s']),
        ...two.nodes.map((n) => ({ ...n, inputs: n.inputs.map((i) => (i === 'in1' ? 'in0' : i)) })),
        node('Add', ['s', 'f1'], ['y']),
      ],
    });
    const [first] = await branchesOf(dense);
    const { graph: left } = removeBranches(dense, [first!]).model;
    expect(left.initializers.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['in0', 'out1', 'bias1']),
    );
    expect(left.initializers.map(({ name }) => name)).not.toContain('out0');
  });
});
