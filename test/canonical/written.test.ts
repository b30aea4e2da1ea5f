import { beforeAll, describe, expect, it } from 'vitest';
import { prune, verify } from '../../src/api.js';
import { graphAttributes } from '../../src/onnx/attributes.js';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import type { Graph, Model } from '../../src/onnx/model.js';
import { floatsOf, floatTensor, integerTensor, rawTensor } from '../../src/onnx/values.js';
import type { PlanFile } from '../../src/plan/file.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { fromRuntime, toRuntime } from '../../src/runtime/tensors.js';
import { mlp, weight, width } from '../depth/network.js';
import { graph, model, node, value } from '../shapes/build-model.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

/** A residual sum inside a branch: `sum{k}` adds `f{k}` to what the graph around it gives. */
const residual = (k: number): Graph => {
  const piece = mlp(k, 'x');
  return graph({
    nodes: [...piece.nodes, node('Add', ['x', `f${k}`], [`s${k}`], {}, `sum${k}`)],
    initializers: piece.weights,
    outputs: [value(`s${k}`)],
  });
};

/** Two residual branches of which `c` chooses, and a third behind them. */
const last = mlp(2, 'z');
const dense = model({
  inputs: [value('x', [3, width]), value('c', [], 'bool')],
  outputs: [value('y', [3, width])],
  initializers: last.weights,
  nodes: [
    node('If', ['c'], ['z'], { then_branch: residual(0), else_branch: residual(1) }, 'choice'),
    ...last.nodes,
    node('Add', ['z', 'f2'], ['s2'], {}, 'sum2'),
    node('Relu', ['s2'], ['y']),
  ],
});

/** With a residual branch's last weight and bias at zero: it adds nothing. */
function silent(whole: Model, k: number): Model {
  const inGraph = (given: Graph): Graph => ({
    ...given,
    initializers: given.initializers.map((tensor) =>
      tensor.name === `out${k}` || tensor.name === `bias${k}`
        ? floatTensor(tensor.name, new Float32Array(floatsOf(tensor).length), tensor.dims)
        : tensor,
    ),
    nodes: given.nodes.map((given) => ({
      ...given,
      attributes: new Map(
        [...given.attributes].map(([key, attribute]) => [
          key,
          attribute.type === 'graph' ? { ...attribute, value: inGraph(attribute.value) } : attribute,
        ]),
      ),
    })),
  });
  return { ...whole, graph: inGraph(whole.graph) };
}

const conditions = [0, 1].map((c) => ({
  x: weight(`x${c}`, [3, width]),
  c: rawTensor('c', 'bool', [], Uint8Array.of(c)),
}));

/** What onnxruntime computes with either condition. */
async function run(whole: Model): Promise<number[][]> {
  const session = await runtime.load(encodeModel(whole));
  const results: number[][] = [];
  for (const feeds of conditions) {
    const inputs = Object.entries(feeds).map(([name, tensor]) => [name, toRuntime(runtime, tensor)] as const);
    const outputs = await session.run(Object.fromEntries(inputs));
    results.push(...Object.entries(outputs).map(([name, y]) => [...floatsOf(fromRuntime(name, y))]));
  }
  await session.release();
  return results;
}

const bodies = (whole: Model): Graph[] =>
  whole.graph.nodes.flatMap((given) => graphAttributes(given).map(({ graph: body }) => body));

describe('the file of a model with an If', () => {
  it('holds it closed, and its plan names the nodes in it and repeats it', async () => {
    const result = await prune(dense, { ratio: 0.5, verify: 'full' });
    const { model: pruned, report } = result;
    expect(report.verification).toMatchObject({ passed: true, failure: undefined });
    expect(pruned.graph.nodes.map(({ opType }) => opType)).toContain('If');
    expect(pruned.graph.nodes.map(({ opType }) => opType)).not.toContain('Where');
    const plan = JSON.parse(JSON.stringify(result.planFile('0'))) as PlanFile;
    const places = plan.tensors.map(({ graph: path, node: key, initializer }) => [path, key, initializer]);
    // Nodes of these networks have no names but the sums: they go by their index.
    expect(places).toContainEqual(['choice.then_branch', 0, 'in0']);
    expect(places).toContainEqual(['choice.else_branch', 2, 'out1']);
    expect(places).toContainEqual(['', 1, 'in2']);
    expect(encodeModel((await prune(dense, { plan })).model)).toEqual(encodeModel(pruned));
    const written = decodeModel(encodeModel(pruned));
    expect(await verify(dense, written, { plan })).toMatchObject({ passed: true, level: 'full' });
    expect(await verify(dense, dense, { plan })).toMatchObject({ passed: false });
  });

  it.each([0, 1, 2])('computes what the dense one does without residual branch %i', async (k) => {
    const place = [{ graph: 'choice.then_branch' }, { graph: 'choice.else_branch' }, {}][k];
    const branches = [{ ...place, node: `sum${k}`, input: 1 }];
    const plan = { version: 1, branches, factors: [] };
    const result = await prune(dense, { plan, verify: 'full' });
    expect(result.report.verification).toMatchObject({ passed: true, failure: undefined });
    expect(result.planFile('0').branches).toEqual(branches);
    expect(result.model.graph.nodes.filter(({ opType }) => opType === 'Where')).toEqual([]);
    expect(bodies(result.model)).toHaveLength(2);
    const [got, expected] = [await run(result.model), await run(silent(dense, k))];
    expect(got).toEqual(expected);
    expect(got).not.toEqual(await run(dense));
    expect(await verify(dense, result.model, { plan })).toMatchObject({ passed: true });
    const other = { ...plan, branches: [{ node: 'sum2', input: k === 2 ? 0 : 1 }] };
    const wrong = verify(dense, result.model, { plan: other }).then(({ passed }) => passed);
    expect(await wrong.catch(() => false)).toBe(false);
  });

  it('loses branches and channels, chosen on data', async () => {
    const data = {
      description: 'either condition',
      // eslint-disable-next-line @typescript-eslint/require-await -- batches are read asynchronously elsewhere
      async *[Symbol.asyncIterator]() {
        for (const { x, c } of conditions)
          yield {
            inputs: {
              x: { data: floatsOf(x), dims: x.dims, dtype: 'float32' as const },
              c: { data: c.data.bytes(), dims: c.dims, dtype: 'bool' as const },
            },
            size: 3,
            valid: 3,
          };
      },
    };
    const result = await prune(dense, {
      depth: 0.4,
      ratio: 0.5,
      roundTo: 1,
      data,
      reconstruct: false,
      verify: 'full',
    });
    const { depth, verification, parameters } = result.report;
    expect(depth!.branches).toHaveLength(3);
    expect(depth!.branches.filter(({ removed }) => removed)).toHaveLength(1);
    expect(verification).toMatchObject({ passed: true, failure: undefined });
    expect(parameters.pruned).toBeLessThan(0.6 * parameters.dense);
    const plan: unknown = JSON.parse(JSON.stringify(result.planFile('0')));
    expect(await verify(dense, result.model, { plan })).toMatchObject({ passed: true, level: 'full' });
    expect(encodeModel((await prune(dense, { plan })).model)).toEqual(encodeModel(result.model));
  });

  it('drops an output of the If that only the removed branch read, or the whole If', async () => {
    const branch = (k: number, count: number): Graph => {
      const piece = mlp(k, 'x');
      return graph({
        nodes: [...piece.nodes, node(k ? 'Tanh' : 'Sigmoid', ['x'], [`s${k}`])],
        initializers: piece.weights,
        outputs: [value(`f${k}`), value(`s${k}`)].slice(0, count),
      });
    };
    const around = (read: string, given: readonly string[]): Model =>
      model({
        inputs: [value('x', [3, width]), value('c', [], 'bool')],
        outputs: [value('y', [3, width]), value('other', [3, width])],
        initializers: last.weights,
        nodes: [
          node('If', ['c'], [...given], {
            then_branch: branch(0, given.length),
            else_branch: branch(1, given.length),
          }),
          node('Relu', [read], ['other']),
          node('MatMul', ['t', 'in2'], ['h']),
          node('MatMul', ['h', 'out2'], ['p']),
          node('Add', ['p', 'bias2'], ['f']),
          node('Add', ['x', 'f'], ['y'], {}, 'sum'),
        ],
      });
    const plan = { version: 1, branches: [{ node: 'sum', input: 1 }], factors: [] };
    const cases = [
      [around('z', ['t', 'z']), ['z']],
      [around('x', ['t']), undefined],
    ] as const;
    for (const [whole, outputs] of cases) {
      const result = await prune(whole, { plan, verify: 'full' });
      expect(result.report.verification).toMatchObject({ passed: true, failure: undefined });
      expect(result.model.graph.nodes.find(({ opType }) => opType === 'If')?.outputs).toEqual(outputs);
      expect(await run(result.model)).toEqual(await run(silent(whole, 2)));
    }
  });
});

it('a file that lost a branch holds a filled value that two layers share once', async () => {
  const zeros = floatTensor('zeros', new Float32Array(12), [2, 1, 6]);
  const stack = model({
    inputs: [value('x', [5, 1, 6])],
    outputs: [value('y', [5, 1, 6])],
    initializers: [
      ...[1, 2].flatMap((k) => [weight(`w${k}`, [1, 24, 6]), weight(`r${k}`, [1, 24, 6])]),
      ...[zeros, weight('m', [6, 6]), integerTensor('sizes', [5, 1, 6])],
    ],
    nodes: [
      node('Split', ['zeros'], ['h0', 'c0'], { axis: 0 }),
      node('LSTM', ['x', 'w1', 'r1', '', '', 'h0', 'c0'], ['y1'], { hidden_size: 6 }, 'first'),
      node('Reshape', ['y1', 'sizes'], ['x2'], {}),
      node('LSTM', ['x2', 'w2', 'r2', '', '', 'h0', 'c0'], ['y2'], { hidden_size: 6 }, 'second'),
      node('Reshape', ['y2', 'sizes'], ['x3'], {}),
      node('MatMul', ['x3', 'm'], ['f']),
      node('Add', ['x3', 'f'], ['y'], {}, 'sum'),
    ],
  });
  const plan = { version: 1, branches: [{ node: 'sum', input: 1 }], factors: [] };
  const { model: shortened, report } = await prune(stack, { plan, verify: 'full' });
  expect(report.verification).toMatchObject({ passed: true });
  const ops = shortened.graph.nodes.map(({ opType }) => opType);
  expect(ops).toEqual(['Split', 'LSTM', 'Reshape', 'LSTM', 'Reshape', 'Identity']);
});
