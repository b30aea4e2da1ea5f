import { expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { inlineFunctions } from '../../src/canonical/inline.js';
import type { Attribute, FunctionBody, Model, ValueInfo } from '../../src/onnx/model.js';
import { floatTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { graph, model, node } from '../onnx/build.js';

const runtime = await nodeRuntime();
const domain = 'my.blocks';

const info = (name: string, dims: readonly number[]): ValueInfo => ({
  name,
  docString: '',
  type: {
    kind: 'tensor',
    dtype: 'float32',
    shape: dims.map((value) => ({ value, denotation: '' })),
    denotation: '',
  },
});
const weights = (name: string, dims: readonly number[]) =>
  floatTensor(name, Array.from({ length: dims[0]! * (dims[1] ?? 1) }, (_, i) => Math.sin(i + name.length)), dims); // prettier-ignore

const body = (
  name: string,
  inputs: readonly string[],
  nodes: FunctionBody['nodes'],
  more: Partial<FunctionBody> = {},
): FunctionBody => ({
  name,
  domain,
  inputs,
  outputs: ['y'],
  attributes: [],
  nodes,
  opsetImports: [{ domain: '', version: 17 }],
  docString: '',
  ...more,
});

const reference: Attribute = {
  name: 'alpha',
  docString: '',
  reference: 'slope',
  type: 'float',
  value: 0,
};
const activation = body(
  'Activation',
  ['x'],
  [
    {
      ...node('LeakyRelu', ['x'], ['y'], {}, { name: 'leak' }),
      attributes: new Map([['alpha', reference]]),
    },
  ],
  { attributes: ['slope'] },
);
const dense = body(
  'Dense',
  ['x', 'w', 'b'],
  [
    node('MatMul', ['x', 'w'], ['h']),
    node('Add', ['h', 'b'], ['t']),
    node('Activation', ['t'], ['y'], { slope: { type: 'float', value: 0.25 } }, { domain, name: 'act' }),
  ],
  {
    opsetImports: [
      { domain: '', version: 17 },
      { domain, version: 1 },
    ],
  },
);

function twoLayers(functions: readonly FunctionBody[]): Model {
  const call = (name: string, inputs: readonly string[], output: string) =>
    node('Dense', inputs, [output], {}, { domain, name });
  const main = graph(
    [call('first', ['x', 'w1', 'b1'], 'h'), call('second', ['h', 'w2', 'b2'], 'y')],
    [],
    [],
    [weights('w1', [6, 8]), weights('b1', [8]), weights('w2', [8, 3]), weights('b2', [3])],
  );
  return model({ ...main, inputs: [info('x', [2, 6])], outputs: [info('y', [2, 3])] }, 17, {
    opsets: new Map([
      ['', 17],
      [domain, 1],
    ]),
    opsetImports: [
      { domain: '', version: 17 },
      { domain, version: 1 },
    ],
    functions,
  });
}

async function run(candidate: Model): Promise<readonly number[]> {
  const session = await runtime.load(encodeModel(candidate), { threads: 1 });
  const x = runtime.tensor(
    'float32',
    Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)),
    [2, 6],
  );
  const { y } = await session.run({ x });
  await session.release();
  return [...(y!.data as Float32Array)];
}

it('gives the same outputs as the functions, nested ones and their attributes included', async () => {
  const called = twoLayers([activation, dense]);
  const inlined = inlineFunctions(called);
  expect(inlined.functions).toEqual([]);
  expect(inlined.graph.nodes.map(({ opType }) => opType)).toEqual(
    ['MatMul', 'Add', 'LeakyRelu', 'MatMul', 'Add', 'LeakyRelu'], // prettier-ignore
  );
  expect(await run(inlined)).toEqual(await run(called));
});

it('lets pruning reach into functions', async () => {
  const { model: pruned, report } = await prunePipeline(twoLayers([activation, dense]), {
    runtime,
    ratio: 0.5,
    verify: 'full',
  });
  expect(report.verification?.passed).toBe(true);
  const w1 = pruned.graph.initializers.find(({ name }) => name === 'w1');
  expect(w1?.dims).toEqual([6, 4]);
});

it('keeps a call whose function is written for another opset, and blocks it', async () => {
  const other = { ...dense, opsetImports: [{ domain: '', version: 16 }, { domain, version: 1 }] }; // prettier-ignore
  const kept = inlineFunctions(twoLayers([activation, other]));
  expect(kept.graph.nodes.map(({ opType }) => opType)).toEqual(['Dense', 'Dense']);
  expect(kept.functions).toHaveLength(2);
  const { grouping } = await analyze(twoLayers([activation, other]), { runtime });
  expect(grouping.groups).toEqual([]);
});

it('keeps functions that call each other in a circle', () => {
  const circle = body('Dense', ['x', 'w', 'b'], [node('Dense', ['x', 'w', 'b'], ['y'], {}, { domain })]);
  expect(inlineFunctions(twoLayers([circle])).graph.nodes).toHaveLength(2);
});

it('copies an input that is also an output', () => {
  const through = body('Dense', ['y', 'w', 'b'], []);
  const [first] = inlineFunctions(twoLayers([through])).graph.nodes;
  expect([first?.opType, first?.inputs, first?.outputs]).toEqual(['Identity', ['x'], ['h']]);
});

it('leaves a model without functions as it is', () => {
  const plain = twoLayers([]);
  expect(inlineFunctions(plain)).toBe(plain);
});
