import { describe, expect, it } from 'vitest';
import { prune } from '../../src/api.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { inOrder } from '../../src/onnx/order.js';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor } from '../../src/onnx/values.js';
import { graph, model, node, value } from '../shapes/build-model.js';

const ramp = (name: string, dims: readonly number[]) =>
  floatTensor(name, Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)), dims); // prettier-ignore

const outputsOf = ({ graph: { nodes } }: Model): string => nodes.map(({ outputs }) => outputs[0]).join();

const layers = [
  node('MatMul', ['x', 'a'], ['h']),
  node('Relu', ['h'], ['r']),
  node('MatMul', ['r', 'b'], ['y']),
];
const parts = {
  inputs: [value('x', ['n', 4])],
  outputs: [value('y')],
  initializers: [ramp('a', [4, 8]), ramp('b', [8, 3])],
};

describe('the order of nodes', () => {
  it('stays where it is topological', () => {
    const given = model({ ...parts, nodes: layers });
    expect(inOrder(given)).toBe(given);
  });

  it('is mended, and nothing else', () => {
    const nodes = [
      node('Neg', ['x'], ['first']),
      layers[2]!,
      node('Abs', ['x'], ['other']),
      layers[1]!,
      layers[0]!,
    ];
    expect(outputsOf(inOrder(model({ ...parts, nodes })))).toBe('first,h,r,y,other');
  });

  it('is mended in bodies, and around what they capture', () => {
    const body = (name: string) =>
      graph({
        nodes: [node('Neg', [`${name}/r`], [name]), node('Relu', ['h'], [`${name}/r`])],
        outputs: [value(name)],
      });
    const branch = node('If', ['c'], ['y'], { then_branch: body('t'), else_branch: body('e') });
    const sorted = inOrder(model({ ...parts, nodes: [branch, layers[0]!] }));
    expect(outputsOf(sorted)).toBe('h,y');
    const then = sorted.graph.nodes[1]!.attributes.get('then_branch')!.value as Model['graph'];
    expect(outputsOf({ ...sorted, graph: then })).toBe('t/r,t');
  });

  it('of a cycle is left to the check', async () => {
    const cycle = model({
      ...parts,
      nodes: [
        node('Add', ['x', 'b2'], ['a2']),
        node('Relu', ['a2'], ['b2']),
        node('Identity', ['b2'], ['y']),
      ],
    });
    expect(inOrder(cycle).graph.nodes).toHaveLength(3);
    await expect(prune(encodeModel(cycle), { ratio: 0.5 })).rejects.toThrow(/before it is made/);
  });

  it('is mended for 20,000 nodes that stand backwards', () => {
    const chain = Array.from({ length: 20_000 }, (_, i) => node('Relu', [`v${i}`], [`v${i + 1}`]));
    const sorted = inOrder(model({ inputs: [value('v0', [1])], nodes: chain.toReversed() }));
    expect(sorted.graph.nodes.map(({ outputs }) => outputs[0])).toEqual(
      chain.map(({ outputs }) => outputs[0]),
    );
  });

  it('of a file does not matter', async () => {
    const { report, model: pruned } = await prune(
      encodeModel(model({ ...parts, nodes: layers.toReversed() })),
      {
        ratio: 0.5,
      },
    );
    expect(report.verification?.passed).toBe(true);
    expect(pruned.graph.initializers.map(({ dims }) => dims)).toEqual([[4, 4], [4, 3]]); // prettier-ignore
  });
});
