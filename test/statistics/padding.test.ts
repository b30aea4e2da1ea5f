import { beforeAll, describe, expect, it } from 'vitest';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import type { Model, Node } from '../../src/onnx/model.js';
import { floatTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { countedRows } from '../../src/statistics/counted-rows.js';
import { findPadding } from '../../src/statistics/padding.js';
import { graph, model, node, randomTensor } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const inputs = ['kind', 'mask'];

/** x [2, 4, 3] with two inputs [2, 4] of zeros and ones, of which one may mask. */
function withMasks(nodes: readonly Node[]): Model {
  const tensors = [
    floatTensor('one', [1], []),
    floatTensor('large', [-1e4], []),
    randomTensor('w', [3, 3]),
    floatTensor('axis', [1], []),
  ];
  const made = model(graph(nodes, [], ['y'], tensors));
  const info = (name: string, dims: readonly (number | string)[]) => {
    const shape = dims.map((value) => ({ value, denotation: '' }));
    return {
      name,
      docString: '',
      type: { kind: 'tensor', dtype: 'float32', shape, denotation: '' } as const,
    };
  };
  const fed = [info('x', ['n', 4, 3]), ...inputs.map((name) => info(name, ['n', 4]))];
  return { ...made, graph: { ...made.graph, inputs: fed } };
}

function batches(dense: Model) {
  const x = randomTensor('values', [2, 4, 3]);
  const values = new Float32Array(x.data.bytes().slice().buffer);
  return dataFromArrays(
    {
      x: { data: values, dims: [2, 4, 3] },
      kind: { data: Float32Array.of(0, 1, 0, 1, 1, 0, 1, 0), dims: [2, 4] },
      mask: { data: Float32Array.of(1, 1, 1, 0, 1, 1, 0, 0), dims: [2, 4] },
    },
    modelInputs(dense),
  );
}

const scores = [node('Transpose', ['x'], ['t'], { perm: { type: 'ints', value: [0n, 2n, 1n] } }), node('MatMul', ['x', 't'], ['s'])]; // prettier-ignore
const additive = [
  node('Sub', ['one', 'mask'], ['m']),
  node('Mul', ['m', 'large'], ['a']),
  node('Unsqueeze', ['a', 'axes'], ['b']),
  node('Add', ['s', 'b'], ['p']),
];
const attention = [node('Softmax', ['p'], ['q']), node('MatMul', ['q', 'x'], ['y'])];
const axes = node('Constant', [], ['axes'], { value_ints: { type: 'ints', value: [1n] } });

describe('what masks steps of a sequence', () => {
  it('is found where attention is masked', async () => {
    const dense = withMasks([axes, ...scores, ...additive, ...attention]);
    expect(await findPadding(dense, batches(dense), runtime)).toBe('mask');
  });

  it('is found where steps are multiplied by it before they meet', async () => {
    const nodes = [node('Unsqueeze', ['mask', 'axes'], ['m']), node('MatMul', ['m', 'x'], ['y'])];
    const dense = withMasks([axes, ...nodes]);
    expect(await findPadding(dense, batches(dense), runtime)).toBe('mask');
  });

  it('is nothing where steps never meet, nor where all meet', async () => {
    const apart = withMasks([node('MatMul', ['x', 'w'], ['y'])]);
    expect(await findPadding(apart, batches(apart), runtime)).toBeUndefined();
    const together = withMasks([...scores, node('Softmax', ['s'], ['q']), node('MatMul', ['q', 'x'], ['y'])]);
    expect(await findPadding(together, batches(together), runtime)).toBeUndefined();
  });
});

describe('rows that count', () => {
  const mask = { dtype: 'float32', dims: [2, 3], data: Float32Array.of(1, 1, 0, 1, 0, 0) } as const;

  it('are those of steps that the mask counts, also where a step has several rows', () => {
    expect([...countedRows({ size: 2, valid: 2, counted: mask }, [2, 3, 5], 6)!]).toEqual([0, 1, 3]);
    expect([...countedRows({ size: 2, valid: 2, counted: mask }, [6, 5], 6)!]).toEqual([0, 1, 3]);
    expect([...countedRows({ size: 2, valid: 2, counted: mask }, [2, 3, 2, 5], 12)!]).toEqual([0, 1, 2, 3, 6, 7]); // prettier-ignore
  });

  it('are none of the examples that fill up a batch', () => {
    expect([...countedRows({ size: 3, valid: 2 }, [3, 5], 3)!]).toEqual([0, 1]);
    expect(countedRows({ size: 3, valid: 3 }, [3, 5], 3)).toBeUndefined();
    expect([...countedRows({ size: 2, valid: 1, counted: mask }, [2, 3, 5], 6)!]).toEqual([0, 1]);
  });
});
