import { beforeAll, describe, expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { savingOf } from '../../src/cost/saving.js';
import { blocksOf } from '../../src/depth/blocks.js';
import { findBranches, type Branch, type FoundBranches } from '../../src/depth/branches.js';
import { removeBranches } from '../../src/depth/remove.js';
import type { Model, Node } from '../../src/onnx/model.js';
import { integerTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { variedShapes } from '../../src/shapes/variation.js';
import { length, mlp, model, node, transformer, value, weight, width } from './network.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

async function find(dense: Model): Promise<FoundBranches> {
  const { cost, shapes } = await analyze(dense, { runtime });
  const varied = await variedShapes(dense, shapes, runtime);
  const sizes = varied ? [shapes, varied] : [shapes];
  return findBranches({
    model: dense,
    cost,
    dtypeOf: (name) => shapes.dtypeOf(name),
    shapes: sizes.map((at) => (name: string) => at.of(name)),
  });
}

const names = ({ branches }: FoundBranches): string[] => branches.map(({ name }) => name);

/** The given nodes between `x` [n, 4, 8] and `y`, with the weights of one MLP that reads `x`. */
function around(
  nodes: readonly Node[],
  outputs: readonly string[] = ['y'],
  more: Partial<Model['graph']> = {},
) {
  const piece = mlp(0, 'x');
  return model({
    inputs: [value('x', ['n', length, width])],
    outputs: outputs.map((name) => value(name)),
    initializers: [...piece.weights, ...(more.initializers ?? [])],
    nodes: [...piece.nodes, ...nodes],
  });
}

describe('residual branches', () => {
  it('are found before and behind normalisations, in either order of the operands', async () => {
    for (const order of ['pre', 'post'] as const) {
      const found = await find(transformer(['attention', 'mlp', 'attention', 'mlp'], order));
      expect(names(found)).toEqual(['sum0', 'sum1', 'sum2', 'sum3']);
      expect(found.refused).toEqual([]);
      expect(found.branches.map(({ input }) => input)).toEqual([1, 0, 1, 0]);
      expect(found.branches[1]).toMatchObject({
        value: 'f1',
        sum: 's1',
        stream: order === 'pre' ? 's0' : 'n0',
      });
    }
  });

  it('take the normalisation that only they read, and leave what they share', async () => {
    const dense = transformer(['attention', 'mlp']);
    const [first] = (await find(dense)).branches;
    const outputs = first!.removes.map((i) => dense.graph.nodes[i]!.outputs[0]);
    expect(outputs).toEqual(['n0', 'queries0', 'keys0', 'turned0', 'scores0', 'masked0', 'attention0', 'mixed0', 'p0', 'f0']); // prettier-ignore
  });

  it('are found in a Sum of several', async () => {
    const second = mlp(1, 'x');
    const dense = around([...second.nodes, node('Sum', ['f0', 'x', 'f1'], ['y'], {}, 'sum')], ['y'], {
      initializers: second.weights,
    });
    const { branches } = await find(dense);
    expect(branches.map(({ name, input, stream }) => [name, input, stream])).toEqual([
      ['sum', 0, 'x'],
      ['sum', 2, 'x'],
    ]);
  });

  it('may share sizes with later layers', async () => {
    const dense = around([
      node('Shape', ['f0'], ['size']),
      node('Reshape', ['f0', 'size'], ['same']),
      node('Add', ['x', 'same'], ['s'], {}, 'sum'),
      node('Cast', ['size'], ['numbers'], { to: 1 }),
      node('ReduceMax', ['numbers'], ['most'], { keepdims: 0 }),
      node('Mul', ['s', 'most'], ['y']),
    ]);
    expect(names(await find(dense))).toEqual(['sum']);
  });

  it('need weights: x + x³ is none, and neither is a parallel projection', async () => {
    const cube = around([
      node('Mul', ['f0', 'f0'], ['square']),
      node('Mul', ['square', 'f0'], ['cube']),
      node('Add', ['f0', 'cube'], ['y']),
    ]);
    expect(await find(cube)).toEqual({ branches: [], refused: [] });
    const parallel = around(
      [node('MatMul', ['x', 'w'], ['shortcut']), node('Add', ['shortcut', 'f0'], ['y'])],
      ['y'],
      {
        initializers: [weight('w', [width, width])],
      },
    );
    expect(await find(parallel)).toEqual({ branches: [], refused: [] });
  });

  it.each<[why: string, nodes: readonly Node[], outputs: readonly string[]]>([
    [
      "'f0' in the branch is also read by 'reader'",
      [node('Add', ['x', 'f0'], ['s'], {}, 'sum'), node('Mul', ['s', 'f0'], ['y'], {}, 'reader')],
      ['y'],
    ],
    [
      "'h0' in the branch is also read by 'reader'",
      [
        node('Add', ['x', 'f0'], ['s'], {}, 'sum'),
        node('ReduceMean', ['h0'], ['mean'], { axes: [2], keepdims: 1 }, 'reader'),
        node('Mul', ['s', 'mean'], ['y']),
      ],
      ['y'],
    ],
    [
      "'f0' in the branch is an output of the model",
      [node('Add', ['x', 'f0'], ['y'], {}, 'sum')],
      ['y', 'f0'],
    ],
    [
      'it broadcasts: [1, 4, 8] + [1, 1, 8]',
      [
        node('ReduceMean', ['f0'], ['mean'], { axes: [1], keepdims: 1 }),
        node('Add', ['x', 'mean'], ['y'], {}, 'sum'),
      ],
      ['y'],
    ],
    [
      'it broadcasts: [3, 4, 8] + [1, 4, 8]',
      [
        node('ReduceMean', ['f0'], ['mean'], { axes: [0], keepdims: 1 }),
        node('Add', ['x', 'mean'], ['y'], {}, 'sum'),
      ],
      ['y'],
    ],
  ])('are refused: %s', async (why, nodes, outputs) => {
    expect(await find(around(nodes, outputs))).toEqual({ branches: [], refused: [{ name: 'sum', why }] });
  });

  it('are the smallest: what holds another is none', async () => {
    const inner = mlp(1, 'f0');
    const dense = around(
      [
        ...inner.nodes,
        node('Add', ['f0', 'f1'], ['s'], {}, 'inner'),
        node('Add', ['s', 'x'], ['y'], {}, 'outer'),
      ],
      ['y'],
      { initializers: inner.weights },
    );
    const found = await find(dense);
    expect(names(found)).toEqual(['inner']);
    expect(found.refused).toEqual([{ name: 'outer', why: "it holds the residual branch of 'inner'" }]);
  });

  it('save what the model without them costs less', async () => {
    const dense = transformer(['attention', 'mlp', 'mlp']);
    // Both MLPs read one matrix: it goes with neither.
    const shared = dense.graph.nodes.map((n) =>
      n.outputs[0] === 'h2' ? { ...n, inputs: ['n2', 'in1'] } : n,
    );
    const tied = { ...dense, graph: { ...dense.graph, nodes: shared } };
    const { cost, grouping } = await analyze(tied, { runtime });
    const { branches } = await find(tied);
    expect(branches).toHaveLength(3);
    for (const branch of branches) {
      const left = (await analyze(removeBranches(tied, [branch]).model, { runtime })).cost;
      expect(savingOf(grouping, cost, new Set(branch.removes)), branch.name).toEqual({
        macs: cost.macs() - left.macs(),
        parameters: cost.parameters() - left.parameters(),
        bytes: cost.bytes() - left.bytes(),
      });
    }
  });
});

describe('blocks', () => {
  const blocks = (kinds: string): string[] =>
    blocksOf(
      [...kinds].map((kind, i) => ({ id: `b${i}`, kind }) as Branch),
      'block',
    ).map((block) => block.map(({ kind }) => kind).join(''));

  it('are the sequences that repeat', () => {
    expect(blocks('AMAMAM')).toEqual(['AM', 'AM', 'AM']);
    expect(blocks('AAA')).toEqual(['A', 'A', 'A']);
    expect(blocks('AABAAB')).toEqual(['AAB', 'AAB']);
    expect(blocks('AMAMambmambmc')).toEqual(['AM', 'AM', 'ambm', 'ambm', 'c']);
    expect(blocks('ABC')).toEqual(['A', 'B', 'C']);
    expect(blocks('')).toEqual([]);
  });

  it('are attention and MLP in a transformer, and branches if asked for', async () => {
    const { branches } = await find(transformer(['attention', 'mlp', 'attention', 'mlp']));
    expect(blocksOf(branches, 'block').map((block) => block.map(({ name }) => name))).toEqual([
      ['sum0', 'sum1'],
      ['sum2', 'sum3'],
    ]);
    expect(blocksOf(branches, 'branch')).toEqual(branches.map((branch) => [branch]));
  });
});

describe('tied and integer constants', () => {
  it('of a branch that reads indices are dropped with it', async () => {
    const dense = around([
      node('Gather', ['f0', 'order'], ['turned'], { axis: 1 }),
      node('Add', ['x', 'turned'], ['y'], {}, 'sum'),
    ], ['y'], { initializers: [integerTensor('order', [3, 2, 1, 0])] }); // prettier-ignore
    const { branches } = await find(dense);
    const { graph } = removeBranches(dense, branches).model;
    expect(graph.initializers).toEqual([]);
  });
});
