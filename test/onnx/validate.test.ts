import { describe, expect, it } from 'vitest';

import { capturedNames, indexGraph } from '../../src/onnx/graph-index.js';
import type { Graph, Node } from '../../src/onnx/model.js';
import { validateModel } from '../../src/onnx/validate.js';
import { floatTensor } from '../../src/onnx/values.js';
import { graph, model, node } from './build.js';

const branch = (name: string, value: Graph, output = 'out'): Node =>
  node('If', ['c'], [output], { then_branch: { type: 'graph', value } }, { name });

const problems = (main: Graph) =>
  validateModel(model(main)).map(({ kind, graph: path, node: at, value }) => [kind, path, at, value]);

describe('validateModel', () => {
  it('finds nothing in a sound graph, with initializers, absent inputs and captured names', () => {
    const body = graph([node('Add', ['a', 'w'], ['inner'])], [], ['inner']);
    const main = graph(
      [node('Relu', ['x', ''], ['a']), branch('if', body), branch('if2', body, 'out2')],
      ['x', 'c', 'w'],
      ['a', 'out', 'w'],
      [floatTensor('w', [1])],
    );
    expect(problems(main)).toEqual([]);
  });

  it.each([
    ['a name made twice', [node('Relu', ['x'], ['x'], {}, { name: 'n' })], ['x'], 'duplicate-value', 'n', 'x'],
    ['a wrong order', [node('Relu', ['b'], ['a'], {}, { name: 'n' }), node('Relu', ['x'], ['b'])], ['a'], 'undefined-value', 'n', 'b'],
    ['an output that nothing makes', [], ['y'], 'missing-output', '', 'y'],
    ['a foreign domain', [node('F', ['x'], ['y'], {}, { name: 'n', domain: 'd' })], ['y'], 'missing-opset', 'n', 'd'],
    ['equal node names', [node('Relu', ['x'], ['y'], {}, { name: 'n' }), node('Relu', ['x'], ['z'], {}, { name: 'n' })], ['y'], 'duplicate-node-name', 'n', 'n'],
  ] as const)('finds %s', (_, nodes, outputs, kind, at, value) => {
    expect(problems(graph(nodes, ['x'], outputs))).toEqual([[kind, '', at, value]]);
  }); // prettier-ignore

  it('looks into bodies: a name of a later node is not visible, nor one of another body', () => {
    const body = graph([node('Relu', ['later'], ['r'], {}, { name: 'relu' })], [], ['r']);
    const outer = graph([branch('inner', body)], [], ['out']);
    const main = graph([branch('outer', outer, 'o'), node('Relu', ['x'], ['later'])], ['x', 'c'], ['o']);
    expect(problems(main)).toEqual([
      ['undefined-value', 'outer.then_branch/inner.then_branch', 'relu', 'later'],
    ]);
    expect(problems(graph([branch('if', graph([], [], ['nowhere']))], ['c'], ['out']))).toEqual([
      ['missing-output', 'if.then_branch', '', 'nowhere'],
    ]);
  });

  it('survives bodies nested by the thousand', () => {
    let body = graph([node('Relu', ['x'], ['y'])], [], ['y']);
    for (let i = 0; i < 3000; i++) body = graph([branch('if', body, `out${i}`)], [], [`out${i}`]);
    expect(problems({ ...body, ...graph(body.nodes, ['x', 'c'], ['out2999']) })).toEqual([]);
    expect(capturedNames(body.nodes[0]!)).toEqual(['c', 'x']);
  });

  it('checks functions by their own imports', () => {
    const body = {
      name: 'f',
      domain: 'd',
      inputs: ['a'],
      outputs: ['b'],
      attributes: [],
      nodes: [node('Relu', ['zzz'], ['b'])],
      opsetImports: [],
      docString: '',
    };
    const found = validateModel(model(graph([], [], []), 17, { functions: [body] }));
    expect(found.map(({ kind, graph: path }) => [kind, path])).toEqual([
      ['missing-opset', 'function f'],
      ['undefined-value', 'function f'],
    ]);
  });
});

describe('indexGraph', () => {
  it('knows producers, consumers and captured uses', () => {
    const body = graph([node('Add', ['a', 'b'], ['b2']), node('Add', ['b2', 'p'], ['r'])], ['p'], ['r', 'k']);
    const twice = node('Mul', ['a', 'a'], ['m', '']);
    const conditional = branch('if', body);
    const main = graph([node('Relu', ['x', ''], ['a']), twice, conditional], ['x', 'b', 'c'], ['out'], []);
    const index = indexGraph(main);
    expect(index.producer.get('m')).toEqual({ node: twice, index: 1, output: 0 });
    expect([...index.producer.keys()]).toEqual(['a', 'm', 'out']);
    expect(index.consumers.get('a')!.map((use) => [use.index, use.input])).toEqual([
      [1, 0],
      [1, 1],
      [2, -1],
    ]);
    expect(index.consumers.has('')).toBe(false);
    expect(index.captured.get(conditional)).toEqual(['a', 'b', 'k']);
    expect([...index.outputs, ...index.inputs]).toEqual(['out', 'x', 'b', 'c']);
  });
});
