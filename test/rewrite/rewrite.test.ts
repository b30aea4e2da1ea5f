import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import type { Model, Node } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatTensor, integersOf, integerTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { rewriteModel } from '../../src/rewrite/rewrite.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { pruneAtRandom } from '../oracles/pruned.js';
import { model, node, value } from '../shapes/build-model.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

function weights(name: string, dims: readonly number[]): Tensor {
  const random = randomGenerator(name);
  const count = dims.reduce((a, b) => a * b, 1);
  return floatTensor(name, Array.from({ length: count }, () => normal(random)), dims); // prettier-ignore
}

const tensorOf = ({ graph }: Model, name: string): Tensor | undefined =>
  graph.initializers.find((tensor) => tensor.name === name);
const nodeOf = ({ graph }: Model, output: string): Node | undefined =>
  graph.nodes.find(({ outputs }) => outputs.includes(output));

/** Two convolutions in a row; both read the bias `b` under the given names. */
function twoConvs(first: string, second: string, between: readonly Node[] = []): Parameters<typeof model>[0] {
  return {
    inputs: [value('x', ['n', 3, 6, 6])],
    outputs: [value('y', ['n', 2, 2, 2])],
    initializers: [
      weights('w1', [8, 3, 3, 3]),
      weights('w2', [8, 8, 3, 3]),
      weights('w3', [2, 8]),
      weights('b', [8]),
    ],
    nodes: [
      ...between,
      node('Conv', ['x', 'w1', first], ['h1']),
      node('Relu', ['h1'], ['r1']),
      node('Conv', ['r1', 'w2', second], ['h2']),
      node('Transpose', ['h2'], ['t'], { perm: [0, 2, 3, 1] }),
      node('Transpose', ['w3'], ['w3t'], { perm: [1, 0] }),
      node('MatMul', ['t', 'w3t'], ['p']),
      node('Transpose', ['p'], ['y'], { perm: [0, 3, 1, 2] }),
    ],
    valueInfos: [value('h1', ['n', 8, 4, 4]), value('h2', ['n', 8, 2, 2])],
  };
}

describe('parameters', () => {
  it('gives each use of a shared initializer its own slice', async () => {
    const { pruned, prove, result } = await pruneAtRandom(model(twoConvs('b', 'b')), runtime);
    const names = [nodeOf(pruned, 'h1')!.inputs[2]!, nodeOf(pruned, 'h2')!.inputs[2]!];
    expect(names[0]).toBe('b');
    expect(names[1]).toBe('b_1');
    expect(names.map((name) => tensorOf(pruned, name)!.dims)).toEqual([[4], [4]]);
    expect(result.tensors.filter(({ initializer }) => initializer === 'b')).toHaveLength(2);
    expect(await prove()).toMatchObject({ passed: true, failure: undefined });
  });

  it('names a slice after the Identity it was read through, which goes', async () => {
    const dense = model(twoConvs('b', 'b_alias', [node('Identity', ['b'], ['b_alias'])]));
    const { pruned, prove, result } = await pruneAtRandom(dense, runtime);
    expect(tensorOf(pruned, 'b_alias')!.dims).toEqual([4]);
    expect(nodeOf(pruned, 'b_alias')).toBeUndefined();
    expect(result.nodes).toEqual({ added: [], removed: ['b_alias'] });
    expect((await prove()).passed).toBe(true);
  });

  it('keeps an Identity whose uses all need the same slice', async () => {
    const parts = twoConvs('b', '', [node('Identity', ['b'], ['b_alias'])]);
    const dense = model({
      ...parts,
      nodes: parts.nodes.map((n) => (n.outputs[0] === 'h1' ? { ...n, inputs: ['x', 'w1', 'b_alias'] } : n)),
    });
    const { pruned, prove } = await pruneAtRandom(dense, runtime);
    expect(tensorOf(pruned, 'b')!.dims).toEqual([4]);
    expect(nodeOf(pruned, 'b_alias')!.inputs).toEqual(['b']);
    expect((await prove()).passed).toBe(true);
  });

  it('patches graph inputs that are initializers, and adds no others below IR version 4', async () => {
    const parts = twoConvs('b', 'b');
    const inputs = [...parts.inputs!, ...parts.initializers!.map(({ name, dims }) => value(name, dims))];
    const { pruned, prove, result } = await pruneAtRandom(model({ ...parts, inputs }, 11, [], 3), runtime);
    const declared = new Map(pruned.graph.inputs.map((input) => [input.name, input]));
    expect([...declared.keys()]).toEqual(inputs.map(({ name }) => name));
    for (const { name, dims } of pruned.graph.initializers)
      expect(declared.get(name), name).toMatchObject({
        type: { shape: dims.map((size) => ({ value: size })) },
      });
    expect(result.nodes.added).toEqual(['b_1']);
    expect(nodeOf(pruned, 'b_1')!.opType).toBe('Constant');
    expect((await prove()).passed).toBe(true);
  });

  it('slices weights held by Constant nodes', async () => {
    const parts = twoConvs('b', 'b');
    const constants = parts.initializers!.map((tensor) =>
      node('Constant', [], [tensor.name], { value: tensor }),
    );
    const dense = model({ ...parts, initializers: [], nodes: [...constants, ...parts.nodes] });
    const { pruned, prove } = await pruneAtRandom(dense, runtime);
    expect(nodeOf(pruned, 'w2')!.attributes.get('value')).toMatchObject({ value: { dims: [4, 4, 3, 3] } });
    expect((await prove()).passed).toBe(true);
  });

  it('leaves what no pruned axis touches as the same object, and drops nothing', async () => {
    const dense: Model = {
      ...model({ ...twoConvs('b', ''), docString: 'kept' }),
      docString: 'kept too',
      metadata: [{ key: 'a', value: 'b' }],
    };
    const { result } = await pruneAtRandom(dense, runtime, { only: ({ name }) => name === 'w1' });
    expect(result.model).toMatchObject({ docString: 'kept too', metadata: dense.metadata, graph: { docString: 'kept' } }); // prettier-ignore
    expect(tensorOf(result.model, 'w3')).toBe(tensorOf(dense, 'w3'));
    expect(result.model.graph.nodes).toEqual(dense.graph.nodes);
    expect(result.model.graph.nodes.every((n, i) => n === dense.graph.nodes[i])).toBe(true);
  });

  it('refreshes declared shapes and keeps symbolic dims', async () => {
    const { pruned } = await pruneAtRandom(model(twoConvs('b', 'b')), runtime);
    const shapes = pruned.graph.valueInfos.map(({ type }) =>
      type?.kind === 'tensor' ? type.shape!.map((dim) => dim.value) : [],
    );
    expect(shapes).toEqual([['n', 4, 4, 4], ['n', 4, 2, 2]]); // prettier-ignore
  });
});

describe('sizes', () => {
  /** x [n 4] -> 12 channels -> whatever `nodes` do to `h` to make `z` -> Gemm. */
  const between = (
    nodes: readonly Node[],
    width: number,
    initializers: readonly Tensor[] = [],
    opset = 17,
  ): Model =>
    model(
      {
        inputs: [value('x', ['n', 4])],
        outputs: [value('y', ['n', 3])],
        initializers: [weights('w', [4, 12]), weights('v', [width, 3]), ...initializers],
        nodes: [node('MatMul', ['x', 'w'], ['h']), ...nodes, node('MatMul', ['z', 'v'], ['y'])],
      },
      opset,
    );
  const batch = [
    node('Shape', ['h'], ['s']),
    node('Gather', ['s', 'zero'], ['n'], { axis: 0 }),
    node('Unsqueeze', ['n', 'axis0'], ['n1']),
  ];
  const indices = [
    integerTensor('zero', [0], []),
    integerTensor('one', [1], []),
    integerTensor('axis0', [0]),
  ];

  /** The proof at batch 1 and 2, and with given inputs at batch 5. */
  async function proven(dense: Model) {
    const outcome = await pruneAtRandom(dense, runtime);
    const feeds = [{ x: weights('x', [5, 4]) }];
    const report = await outcome.prove({ feeds });
    expect(report.failure).toBeUndefined();
    // Sizes that only prove that nothing is baked in come last, on fewer values.
    expect(report.runs.map(({ x }) => x![0])).toEqual([1, 5, 2]);
    expect(outcome.masks.size).toBeGreaterThan(0);
    return outcome;
  }

  it('starts no evaluation where all shape operands are literal', async () => {
    const shape = integerTensor('shape', [-1, 3, 4]);
    const dense = between([node('Reshape', ['h', 'shape'], ['z'])], 4, [shape]);
    const loads: string[] = [];
    const counting: Runtime = { ...runtime, tensor: runtime.tensor.bind(runtime), profile: runtime.profile.bind(runtime), load: (...args) => { loads.push('load'); return runtime.load(...args); } }; // prettier-ignore
    const fixed = model({ ...dense.graph, inputs: [value('x', [2, 4])], outputs: [value('y', [2, 3, 3])] });
    const { shapes, axes, grouping } = await analyze(fixed, { runtime });
    const masks = new Map(
      grouping.groups.map(({ factor, size }) => [factor, new Uint8Array(size).fill(1, 1)]),
    );
    await rewriteModel({ analysis: axes, masks, shapeOf: (name) => shapes.of(name), runtime: counting });
    expect(loads).toEqual([]);
  });

  it('replaces constants of a Reshape target and keeps -1', async () => {
    const { pruned } = await proven(
      between(
        [node('Reshape', ['h', 'a'], ['r']), node('Relu', ['r'], ['q']), node('Reshape', ['q', 'b'], ['z'])],
        12,
        [integerTensor('a', [-1, 3, 4]), integerTensor('b', [-1, 12])],
      ),
    );
    const [, heads, channels] = integersOf(tensorOf(pruned, 'a')!);
    expect(integersOf(tensorOf(pruned, 'b')!)).toEqual([-1, heads! * channels!]);
    expect(heads! * channels!).toBeLessThan(12);
  });

  it('keeps a computed batch dynamic and replaces the constant parts beside it', async () => {
    const target = (name: string, parts: string[]): Node => node('Concat', parts, [name], { axis: 0 });
    const { pruned, result } = await proven(
      between(
        [
          ...batch,
          target('ta', ['n1', 'three', 'four']),
          node('Reshape', ['h', 'ta'], ['r']),
          node('Relu', ['r'], ['q']),
          target('tb', ['n1', 'twelve']),
          node('Reshape', ['q', 'tb'], ['z']),
        ],
        12,
        [...indices, integerTensor('three', [3]), integerTensor('four', [4]), integerTensor('twelve', [12])],
      ),
    );
    expect(result.nodes.added).toEqual([]);
    expect(nodeOf(pruned, 'ta')!.inputs[0]).toBe('n1');
    expect(tensorOf(pruned, 'twelve')).toBeUndefined();
  });

  it('scales an entry that mixes the batch with a pruned size', async () => {
    // [n·3, 4] with n·3 computed as a product.
    await proven(
      between(
        [
          ...batch,
          node('Mul', ['n1', 'three'], ['n3']),
          node('Concat', ['n3', 'four'], ['ta'], { axis: 0 }),
          node('Reshape', ['h', 'ta'], ['r']),
          node('Relu', ['r'], ['q']),
          node('Concat', ['n1', 'twelve'], ['tb'], { axis: 0 }),
          node('Reshape', ['q', 'tb'], ['z']),
        ],
        12,
        [...indices, integerTensor('three', [3]), integerTensor('four', [4]), integerTensor('twelve', [12])],
      ),
    );
  });

  it('freezes a float scale computed from a pruned size', async () => {
    const { pruned } = await proven(
      between(
        [
          node('Shape', ['h'], ['s']),
          node('Gather', ['s', 'one'], ['c'], { axis: 0 }),
          node('Cast', ['c'], ['f'], { to: 1 }),
          node('Sqrt', ['f'], ['root']),
          node('Div', ['h', 'root'], ['z']),
        ],
        12,
        indices,
      ),
    );
    expect(nodeOf(pruned, 'root')).toBeUndefined();
    const scale = tensorOf(pruned, nodeOf(pruned, 'z')!.inputs[1]!)!;
    expect(new DataView(scale.data.bytes().slice().buffer).getFloat32(0, true)).toBeCloseTo(Math.sqrt(12), 6);
  });

  it.each(['int64', 'int32'] as const)(
    'moves Slice bounds computed by chunk arithmetic (%s)',
    async (dtype) => {
      // Half of the channels by (C + 1) / 2, as exporters write chunk(2): wrong once C shrinks unevenly.
      const to = dtype === 'int32' ? 6 : 7;
      const { pruned } = await proven(
        between(
          [
            node('Shape', ['h'], ['s']),
            node('Gather', ['s', 'one'], ['c'], { axis: 0 }),
            node('Add', ['c', 'one'], ['c1']),
            node('Div', ['c1', 'two'], ['half']),
            node('Unsqueeze', ['half', 'axis0'], ['mid64']),
            node('Cast', ['mid64'], ['mid'], { to }),
            node('Slice', ['h', 'first', 'mid', 'axis1'], ['a']),
            node('Slice', ['h', 'mid', 'end', 'axis1'], ['b']),
            node('Sigmoid', ['b'], ['g']),
            node('Tanh', ['a'], ['ta']),
            node('Concat', ['g', 'ta'], ['z'], { axis: 1 }),
          ],
          12,
          [
            ...indices,
            integerTensor('two', [2], []),
            ...['first', 'axis1', 'end'].map((name, i) =>
              integerTensor(name, [[0, 1, 2 ** 31 - 1][i]!], [1], dtype),
            ),
          ],
        ),
      );
      const bound = nodeOf(pruned, 'a')!.inputs[2]!;
      expect(tensorOf(pruned, bound)?.dtype ?? dtype).toBe(dtype);
    },
  );

  it.each([11, 13, 18])('writes uneven Split sizes where opset %i has them', async (opset) => {
    const attributes = { axis: 1, ...(opset === 18 ? { num_outputs: 2 } : {}) };
    const { pruned } = await proven(
      between(
        [
          node('Split', ['h'], ['a', 'b'], attributes),
          node('Sigmoid', ['a'], ['sa']),
          node('Concat', ['sa', 'b'], ['z'], { axis: 1 }),
        ],
        12,
        [],
        opset,
      ),
    );
    const split = nodeOf(pruned, 'a')!;
    expect(split.attributes.has('num_outputs') && split.inputs.length > 1).toBe(false);
  });
});
