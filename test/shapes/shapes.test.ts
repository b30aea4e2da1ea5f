import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { AbsentData } from '../../src/onnx/tensor-data.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { inputSpecs, randomInputs } from '../../src/runtime/inputs.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { inferShapes } from '../../src/shapes/shapes.js';
import { graph, model, node, value } from './build-model.js';

const runtime = await nodeRuntime();
const networks = [
  'resnet20',
  'resnet20_bn',
  'mobilenet_se',
  'mobilenet_se_bn',
  'vgg8bn',
  'vgg8bn_bn',
  'vit_tiny',
  'lstm2',
];

/** Oracle: runs the unoptimised model with every value as an output, and looks. */
async function executedShapes(network: Model, shapes: Readonly<Record<string, readonly number[]>>) {
  const names = network.graph.nodes.flatMap((entry) => entry.outputs.filter((name) => name !== ''));
  const outputs = names.map((name) => ({ name, docString: '', type: undefined }));
  const bytes = encodeModel({ ...network, graph: { ...network.graph, outputs } });
  const session = await runtime.load(bytes, { optimization: 'disabled' });
  const values = await session.run(randomInputs(runtime, inputSpecs(session, { shapes })));
  return new Map(names.map((name) => [name, { shape: values[name]!.dims, dtype: values[name]!.type }]));
}

test.each(networks)('every value of %s has the shape and dtype that running it gives', async (name) => {
  const network = decodeModel(new Uint8Array(await readFile(`models/trained/${name}.onnx`)));
  for (const batch of [1, 3]) {
    const shapes = await inferShapes(network, runtime, { symbolicSize: batch });
    expect(shapes.inputs).toEqual(new Map([['input', [batch, 1, 28, 28]]]));
    expect(shapes.symbolic).toEqual(new Map([['input', [0]]]));
    expect(shapes.unknownOps).toEqual([]);
    for (const [value, executed] of await executedShapes(network, { input: [batch, 1, 28, 28] })) {
      expect({ value, shape: shapes.of(value), dtype: shapes.dtypeOf(value) }).toEqual({
        value,
        ...executed,
      });
    }
    for (const tensor of network.graph.initializers) expect(shapes.of(tensor.name)).toEqual(tensor.dims);
  }
});

test('weights may be missing: shapes need none', async () => {
  const weight = floatTensor('w', new Float32Array(100 * 7), [7, 100]);
  const stripped = { ...weight, data: new AbsentData('w', 2800) };
  const network = model({
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    initializers: [stripped],
    inputs: [value('x', ['n', 7])],
  });
  expect((await inferShapes(network, runtime)).of('y')).toEqual([1, 100]);
});

test('a symbol has one size everywhere, and overrides may change static dims', async () => {
  const network = model({
    nodes: [node('Concat', ['x', 'y'], ['z'], { axis: 1 })],
    inputs: [value('x', ['n', 3]), value('y', ['n', 4])],
  });
  const shapes = await inferShapes(network, runtime, { shapes: { x: [5, 6] } });
  expect(shapes.of('z')).toEqual([5, 10]);
  expect(shapes.inputs.get('y')).toEqual([5, 4]);
});

test('initializers that are also inputs are weights; file versions below 4 are raised for the session', async () => {
  const network = model(
    {
      nodes: [node('Add', ['x', 'b'], ['y'])],
      initializers: [floatTensor('b', [1, 2])],
      inputs: [value('x', [3, 2]), value('b', [2])],
    },
    9,
    [],
    3,
  );
  const shapes = await inferShapes(network, runtime);
  expect(shapes.of('y')).toEqual([3, 2]);
  expect([...shapes.inputs.keys()]).toEqual(['x']);
  const uninitialised = { ...network, graph: { ...network.graph, inputs: [value('x', [3, 2])] } };
  expect((await inferShapes(uninitialised, runtime)).of('y')).toEqual([3, 2]);
});

test('scalars and values of unknown rank are told apart', async () => {
  const network = model({
    nodes: [
      node('ReduceSum', ['x'], ['scalar'], { keepdims: 0 }),
      node('Reshape', ['x', 'dims'], ['anything']),
      node('Relu', ['anything'], ['still_anything']),
      node('Squeeze', ['one'], ['squeezed']),
      node('NonZero', ['x'], ['positions']),
      node('Gather', ['x', 'position'], ['picked'], { axis: 0 }),
    ],
    inputs: [
      value('x', [4]),
      value('dims', ['rank'], 'int64'),
      value('one', [1]),
      value('position', [], 'int64'),
    ],
  });
  const shapes = await inferShapes(network, runtime, { symbolicSize: 2 });
  expect(shapes.of('scalar')).toEqual([]);
  expect(shapes.of('squeezed')).toEqual([]);
  expect(shapes.of('picked')).toEqual([]);
  expect(shapes.of('positions')).toEqual([1, undefined]);
  expect(shapes.dtypeOf('positions')).toBe('int64');
  // A target of two entries that are only known at run time: rank 2, sizes unknown.
  expect(shapes.of('anything')).toEqual([undefined, undefined]);
  const unknown = {
    ...network,
    graph: {
      ...network.graph,
      inputs: [...network.graph.inputs.filter(({ name }) => name !== 'dims'), value('n', [1], 'int64')],
      nodes: [
        node('ConstantOfShape', ['n'], ['ones']),
        node('NonZero', ['ones'], ['p']),
        node('Squeeze', ['p'], ['dims']),
        ...network.graph.nodes,
      ],
    },
  };
  const open = await inferShapes(unknown, runtime);
  expect(open.of('anything')).toBeUndefined();
  expect(open.of('still_anything')).toBeUndefined();
  expect(open.dtypeOf('still_anything')).toBe('float32');
  expect(open.of('scalar')).toEqual([]);
});

test('values captured by branches stay, even as weights', async () => {
  const branch = (op: string, output: string) =>
    graph({ nodes: [node(op, ['h', 'w'], [output])], outputs: [value(output)] });
  const network = model({
    nodes: [
      node('Relu', ['x'], ['h']),
      node('If', ['condition'], ['y'], { then_branch: branch('Add', 't'), else_branch: branch('Mul', 'e') }),
    ],
    initializers: [floatTensor('w', new Float32Array(100))],
    inputs: [value('x', [2, 100]), value('condition', [], 'bool')],
  });
  expect((await inferShapes(network, runtime)).of('y')).toEqual([2, 100]);
});

test('sequences have no shape, and those read behind a cut of a long graph are made again there', async () => {
  const chain = Array.from({ length: 6000 }, (_, i) => node('Neg', [i === 0 ? 'x' : `v${i - 1}`], [`v${i}`]));
  const network = model({
    nodes: [
      node('SequenceConstruct', ['x', 'x'], ['s']),
      ...chain,
      node('SequenceLength', ['s'], ['length']),
      node('SequenceAt', ['s', 'length'], ['y']),
    ],
    inputs: [value('x', [2, 5])],
  });
  const shapes = await inferShapes(network, runtime);
  expect(shapes.unknownOps).toEqual([]);
  expect(shapes.of('s')).toBeUndefined();
  expect(shapes.of('v5999')).toEqual([2, 5]);
  expect(shapes.of('length')).toEqual([]);
  expect(shapes.dtypeOf('y')).toBe('float32');
});

test('the graph is cut at nodes that onnxruntime does not know', async () => {
  const custom = (declared: boolean) =>
    model(
      {
        nodes: [
          node('Relu', ['x'], ['h']),
          node('my.domain:Foo', ['h'], ['c'], {}, 'foo'),
          node('Concat', ['c', 'h'], ['y'], { axis: 1 }),
          node('Neg', ['h'], ['z']),
        ],
        inputs: [value('x', ['n', 3])],
        valueInfos: declared ? [value('c', ['n', 7])] : [],
      },
      17,
      ['my.domain'],
    );
  const shapes = await inferShapes(custom(true), runtime, { symbolicSize: 2 });
  expect(shapes.unknownOps).toMatchObject([{ node: 'foo', op: 'my.domain::Foo' }]);
  expect(shapes.of('c')).toEqual([2, 7]);
  expect(shapes.of('y')).toEqual([2, 10]);
  expect(shapes.of('z')).toEqual([2, 3]);

  const undeclared = await inferShapes(custom(false), runtime);
  expect(undeclared.of('c')).toBeUndefined();
  expect(undeclared.dtypeOf('c')).toBeUndefined();
  expect(undeclared.of('z')).toEqual([1, 3]);

  const hinted = await inferShapes(custom(false), runtime, { shapes: { c: [1, 9] } });
  expect(hinted.of('y')).toEqual([1, 12]);
  await expect(inferShapes(custom(false), runtime, { shapes: { z: [1, 9] } })).rejects.toThrow(
    /^unknown input in shape: z;/,
  );
});

test('an unknown op inside a branch cuts at the node that holds it', async () => {
  const branch = (op: string, output: string) =>
    graph({ nodes: [node(op, ['x'], [output])], outputs: [value(output)] });
  const network = model(
    {
      nodes: [
        node('Neg', ['x'], ['before']),
        node('If', ['c'], ['y'], {
          then_branch: branch('my.domain:Foo', 't'),
          else_branch: branch('Relu', 'e'),
        }),
        node('Neg', ['x'], ['after']),
      ],
      inputs: [value('x', [2, 3]), value('c', [], 'bool')],
    },
    17,
    ['my.domain'],
  );
  const shapes = await inferShapes(network, runtime);
  expect(shapes.unknownOps).toMatchObject([{ node: '#1', op: 'If' }]);
  expect([shapes.of('before'), shapes.of('y'), shapes.of('after')]).toEqual([[2, 3], undefined, [2, 3]]);
});

test('a model of 12,000 nodes is cut into segments, and sizes computed before a cut still shape what is behind it', async () => {
  const nodes = [node('Shape', ['x'], ['s0']), node('Relu', ['x'], ['v0'])];
  for (let i = 1; i <= 6000; i++) {
    // Two chains side by side: sizes and data. Every cut has an integer crossing it.
    nodes.push(node('Identity', [`s${i - 1}`], [`s${i}`]), node('Neg', [`v${i - 1}`], [`v${i}`]));
  }
  nodes.push(node('Gather', ['s6000', 'reversed'], ['target']), node('Reshape', ['v6000', 'target'], ['y']));
  const network = model({
    nodes,
    initializers: [integerTensor('reversed', [2, 1, 0])],
    inputs: [value('x', ['n', 3, 4])],
  });
  const shapes = await inferShapes(network, runtime, { symbolicSize: 2 });
  expect(shapes.of('y')).toEqual([4, 3, 2]);
  expect(shapes.of('v3000')).toEqual([2, 3, 4]);
  expect(shapes.dtypeOf('s5999')).toBe('int64');
});

test('shapes that do not fit are refused with those of the file', async () => {
  const network = model({
    nodes: [node('MatMul', ['x', 'w'], ['y'])],
    inputs: [value('x', ['n', 3, undefined]), value('w', [4, 5])],
  });
  const infer = (shapes: Record<string, number[]>) => inferShapes(network, runtime, { shapes });
  await expect(infer({ image: [1] })).rejects.toMatchObject({
    code: 'invalid-option',
    message: "unknown input in shape: image; the model's inputs are x[n, 3, ?], w[4, 5]",
  });
  await expect(infer({ x: [1, 3] })).rejects.toThrow(
    /^shape \[1, 3\] for x has rank 2; the file says x\[n, 3, \?\], so give 3 sizes$/,
  );
  await expect(infer({ x: [1, 0, 4] })).rejects.toThrow(
    /has size 0 on axis 1; the file says x\[n, 3, \?\], use positive integers$/,
  );
  await expect(infer({ x: [1, 3, 4.5] })).rejects.toMatchObject({ code: 'invalid-option' });
  await expect(infer({ x: [1, 3, 7] })).rejects.toThrow(
    /^input shapes don't fit the model .*x\[n, 3, \?\] as \[1, 3, 7\].*give others with --shape$/,
  );
  expect((await inferShapes(network, runtime, { shapes: { x: [2, 3, 4] } })).of('y')).toEqual([2, 3, 5]);
  await expect(inferShapes(model({ nodes: [], inputs: [value('x')] }), runtime)).rejects.toThrow(
    /^input x has no shape in the file/,
  );
});

test('an abort stops it', async () => {
  const network = model({ nodes: [node('Relu', ['x'], ['y'])], inputs: [value('x', [1])] });
  const signal = AbortSignal.abort();
  await expect(inferShapes(network, runtime, { signal })).rejects.toMatchObject({ code: 'aborted' });
});

test('a batch that is written into the target of a Reshape is found', async () => {
  const traced = model({
    inputs: [value('x', ['n', 6])],
    outputs: [value('y')],
    initializers: [floatTensor('w', new Float32Array(48), [6, 8]), integerTensor('target', [5, 2, 4])],
    nodes: [node('MatMul', ['x', 'w'], ['h']), node('Reshape', ['h', 'target'], ['y'])],
  });
  expect((await inferShapes(traced, runtime)).inputs).toEqual(new Map([['x', [5, 6]]]));
  // What was asked for is taken as it is.
  const given = await inferShapes(traced, runtime, { shapes: { x: [2, 6] } });
  expect(given.inputs).toEqual(new Map([['x', [2, 6]]]));
});

test('a free batch is as large as the fixed one of other inputs, if 1 does not fit', async () => {
  const joined = model({
    inputs: [value('a', ['n', 4]), value('b', [3, 2])],
    outputs: [value('y', [3, 6])],
    nodes: [node('Concat', ['a', 'b'], ['y'], { axis: 1 })],
  });
  expect((await inferShapes(joined, runtime)).of('a')).toEqual([3, 4]);
});
