import { expect, test } from 'vitest';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor, floatsOf, integerTensor, integersOf } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { evaluateConstants } from '../../src/shapes/evaluate.js';
import { graph, model, node, value } from './build-model.js';

const runtime = await nodeRuntime();

/** Counts sessions. */
function counting(): Runtime & { loads: number } {
  const counted = {
    loads: 0,
    name: runtime.name,
    version: runtime.version,
    load: (...args: Parameters<Runtime['load']>) => {
      counted.loads++;
      return runtime.load(...args);
    },
    tensor: runtime.tensor.bind(runtime),
    profile: runtime.profile.bind(runtime),
  };
  return counted;
}

const shapesOf =
  (shapes: Readonly<Record<string, readonly (number | undefined)[]>>) =>
  (name: string): readonly (number | undefined)[] | undefined =>
    shapes[name];

const halves = model({
  nodes: [
    node('Shape', ['x'], ['size']),
    node('Gather', ['size', 'one'], ['channels']),
    node('Constant', [], ['two'], { value: integerTensor('', [2], []) }),
    node('Div', ['channels', 'two'], ['half']),
    node('Identity', ['two'], ['alias']),
    node('Relu', ['x'], ['y']),
    node('Size', ['x'], ['count']),
    node('Shape', ['x'], ['tail'], { start: -2, end: 9 }),
    node('Sqrt', ['scale'], ['root']),
  ],
  initializers: [integerTensor('one', [1], []), floatTensor('scale', [16])],
  inputs: [value('x', ['n', 10, 3])],
});

test('literals, also behind Identity, cost no session', async () => {
  const counter = counting();
  const values = await evaluateConstants(halves, counter, shapesOf({ x: [4, 10, 3] }), [
    'one',
    'two',
    'alias',
    'count',
    'tail',
    '',
    'x',
  ]);
  expect(counter.loads).toBe(0);
  expect([...values.keys()].sort()).toEqual(['alias', 'count', 'one', 'tail', 'two']);
  expect(integersOf(values.get('alias')!)).toEqual([2]);
  expect(integersOf(values.get('count')!)).toEqual([120]);
  expect(values.get('count')!.dims).toEqual([]);
  expect(integersOf(values.get('tail')!)).toEqual([10, 3]);
});

test('shape arithmetic is computed in one session', async () => {
  const counter = counting();
  const values = await evaluateConstants(halves, counter, shapesOf({ x: [4, 10, 3] }), [
    'half',
    'channels',
    'root',
    'y',
  ]);
  expect(counter.loads).toBe(1);
  expect(integersOf(values.get('half')!)).toEqual([5]);
  expect(values.get('half')).toMatchObject({ dtype: 'int64', dims: [] });
  expect([...floatsOf(values.get('root')!)]).toEqual([4]);
  expect(values.has('y')).toBe(false);
});

test('shapes that are partly unknown give what does not depend on the unknown', async () => {
  const values = await evaluateConstants(halves, runtime, shapesOf({ x: [undefined, 10, 3] }), [
    'half',
    'tail',
    'count',
  ]);
  expect([...values.keys()]).toEqual(['tail', 'half']);
  // Of an axis whose size is known.
  expect(integersOf(values.get('half')!)).toEqual([5]);
});

test('one refused node does not take the others along', async () => {
  const network: Model = model(
    {
      nodes: [
        node('my.domain:Foo', ['a'], ['bad']),
        node('Neg', ['bad'], ['worse']),
        node('Neg', ['a'], ['good']),
        node('Abs', ['good'], ['better']),
        node('Reshape', ['a', 'a'], ['fails_when_run']),
      ],
      initializers: [integerTensor('a', [5])],
    },
    17,
    ['my.domain'],
  );
  const wanted = ['bad', 'worse', 'good', 'better', 'fails_when_run'];
  const values = await evaluateConstants(network, runtime, () => undefined, wanted);
  expect([...values.keys()].sort()).toEqual(['better', 'good']);
  expect(integersOf(values.get('better')!)).toEqual([5]);
});

test('random numbers and large weights are not constants', async () => {
  const network = model({
    nodes: [
      node('RandomNormal', [], ['noise'], { shape: [2] }),
      node('Neg', ['noise'], ['negated']),
      node('ReduceSum', ['weight'], ['total'], { keepdims: 0 }),
      node('ReduceSum', ['small'], ['small_total'], { keepdims: 0 }),
    ],
    initializers: [floatTensor('weight', new Float32Array(1_000_001)), floatTensor('small', [1, 2])],
  });
  const values = await evaluateConstants(network, runtime, () => undefined, [
    'negated',
    'total',
    'small_total',
    'weight',
  ]);
  // The literal itself is answered whatever its size.
  expect([...values.keys()].sort()).toEqual(['small_total', 'weight']);
});

test('branches with a constant condition count as constants, captured inputs do not', async () => {
  const branch = (captured: string, output: string) =>
    graph({ nodes: [node('Neg', [captured], [output])], outputs: [value(output)] });
  const network = model({
    nodes: [
      node('If', ['condition'], ['constant'], {
        then_branch: branch('a', 't'),
        else_branch: branch('b', 'e'),
      }),
      node('If', ['condition'], ['variable'], {
        then_branch: branch('a', 't2'),
        else_branch: branch('x', 'e2'),
      }),
    ],
    initializers: [integerTensor('condition', [1], [], 'bool'), floatTensor('a', [1]), floatTensor('b', [2])],
    inputs: [value('x', [1])],
  });
  const values = await evaluateConstants(network, runtime, () => undefined, ['constant', 'variable']);
  expect([...values.keys()]).toEqual(['constant']);
  expect([...floatsOf(values.get('constant')!)]).toEqual([-1]);
});

test('a chain of 20,000 nodes does not overflow the stack', async () => {
  const nodes = Array.from({ length: 20_000 }, (_, i) =>
    node('Identity', [i === 0 ? 'x' : `v${i - 1}`], [`v${i}`]),
  );
  nodes.push(node('Neg', ['v19999'], ['end']));
  const network = model({ nodes, inputs: [value('x', [1])] });
  expect((await evaluateConstants(network, runtime, () => undefined, ['end', 'v19999'])).size).toBe(0);
});
