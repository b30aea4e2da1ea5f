import { describe, expect, it } from 'vitest';
import type { Node } from '../../src/onnx/model.js';
import { integerTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { reachOf } from '../../src/shapes/reach.js';
import { inferOpenShapes, inferShapes } from '../../src/shapes/shapes.js';
import { model, node, value } from './build-model.js';

const runtime = await nodeRuntime();

async function reach(...nodes: readonly Node[]) {
  const graph = model({
    inputs: [value('x', ['batch', 6, 'length', 4]), value('given', [2], 'int64')],
    outputs: [value(nodes.at(-1)!.outputs[0]!, undefined, 'int64')],
    initializers: [
      integerTensor('i0', [0], []),
      integerTensor('i2', [2]),
      integerTensor('last', [-1]),
      integerTensor('some', [1, 2]),
      integerTensor('from', [1]),
      integerTensor('to', [3]),
      integerTensor('axis', [0]),
      integerTensor('seven', [7]),
      integerTensor('pairs', [2, 2]),
    ],
    nodes: [node('Shape', ['x'], ['s']), ...nodes],
  });
  const open = await inferOpenShapes(graph, runtime, await inferShapes(graph, runtime));
  return reachOf(graph, (name) => open.of(name))(nodes.at(-1)!.outputs[0]!);
}

const gathered = (indices: string, to: string) => node('Gather', ['s', indices], [to], { axis: 0 });

describe('what a symbolic dim may reach', () => {
  it.each<[string, unknown, Node[]]>([
    ['the dims that are open', [true, false, true, false], [node('Identity', ['s'], ['v'])]],
    ['a range of them', [false, true], [node('Shape', ['x'], ['v'], { start: 1, end: 3 })]],
    ['the number of elements', true, [node('Size', ['x'], ['v'])]],
    ['one that is open', [true], [gathered('i0', 'v')]],
    ['one that is not', false, [gathered('last', 'v')]],
    ['two in order', [false, true], [gathered('some', 'v')]],
    ['a slice', [false, true], [node('Slice', ['s', 'from', 'to', 'axis'], ['v'])]],
    [
      'parts that are put together',
      [true, false, true],
      [gathered('i2', 'a'), node('Concat', ['a', 'seven', 'a'], ['v'], { axis: 0 })],
    ],
    ['sums, entry by entry', [false, true], [gathered('some', 'a'), node('Add', ['a', 'seven'], ['v'])]],
    [
      'a factor that all entries share',
      [true, true],
      [gathered('some', 'a'), gathered('i2', 'b'), node('Mul', ['a', 'b'], ['v'])],
    ],
    ['the same under another shape', [true, false, true, false], [node('Reshape', ['s', 'pairs'], ['v'])]],
    ['all of what an op makes that nothing is known of', true, [node('ReduceMax', ['s'], ['v'])]],
    ['elements of inputs', [true, true], [node('Identity', ['given'], ['v'])]],
    [
      'positions counted up to a size that is fixed',
      false,
      [gathered('last', 'a'), node('Squeeze', ['a'], ['end']), node('Range', ['i0', 'end', 'end'], ['v'])],
    ],
  ])('%s', async (_, expected, nodes) => {
    expect(await reach(...nodes)).toEqual(expected);
  });
});
