/** Sizes that a graph computes from its symbolic dims stay computed, whatever the strides between. */
import { describe, expect, it } from 'vitest';
import { encodeModel } from '../../src/onnx/codec.js';
import type { Model, Node } from '../../src/onnx/model.js';
import { floatTensor, integersOf, integerTensor } from '../../src/onnx/values.js';
import { normal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { toRuntime } from '../../src/runtime/tensors.js';
import { ModelEdit } from '../../src/edit/model-edit.js';
import { correct, type Comparison } from '../../src/rewrite/patch.js';
import { readModel } from '../../src/files/model-file.js';
import { pruneAtRandom } from '../oracles/pruned.js';
import { model, node, value } from '../shapes/build-model.js';

const runtime = await nodeRuntime();

const noise = (name: string, dims: readonly number[]) => {
  const random = randomGenerator(name);
  const count = dims.reduce((a, b) => a * b, 1);
  return floatTensor(name, Array.from({ length: count }, () => normal(random)), dims); // prettier-ignore
};

/** Dims of the outputs at each length, or undefined where the model doesn't run. */
async function runsAt(file: Model, lengths: readonly number[]) {
  const session = await runtime.load(encodeModel(file));
  const [input] = file.graph.inputs;
  const results = [];
  for (const length of lengths) {
    const feeds = { [input!.name]: toRuntime(runtime, noise('x', [1, length])) };
    const found = await session.run(feeds).catch(() => undefined);
    results.push(found && Object.values(found).map(({ dims }) => dims.join()));
  }
  await session.release();
  return results;
}

describe('a length behind a stride of 160', () => {
  const lengths = [399, 400, 401, 559, 560, 1600, 4000, 4096, 4128, 8000, 16000, 16001];

  it('runs wherever the dense model does, and computes what the masked one does', async () => {
    const dense = await readModel(new URL('../cases/sizes/hop160.onnx', import.meta.url).pathname);
    const { pruned, prove, masks } = await pruneAtRandom(dense, runtime);
    expect(masks.size).toBeGreaterThan(1);
    expect(await runsAt(pruned, lengths)).toEqual(await runsAt(dense, lengths));
    const feeds = lengths.slice(1).map((length) => ({ x: noise('x', [1, length]) }));
    const report = await prove({ feeds });
    expect(report.failure).toBeUndefined();
    expect(report.runs.map(({ x }) => x![1])).toEqual(expect.arrayContaining(lengths.slice(1)));
  });
});

/** Heads of a projection, whose number stands in the file and whose positions come from a convolution's stride. */
function heads(stride: number, tail: readonly Node[]): Model {
  return model({
    inputs: [value('x', ['batch', 'length'])],
    outputs: [value('y')],
    initializers: [
      noise('w', [12, 1, 4]),
      noise('v', [12, 5]),
      integerTensor('axis1', [1]),
      integerTensor('zero', [0]),
      integerTensor('two', [2]),
      integerTensor('three', [3]),
      integerTensor('four', [4]),
      integerTensor('twelve', [12]),
    ],
    nodes: [
      node('Unsqueeze', ['x', 'axis1'], ['x1']),
      node('Conv', ['x1', 'w'], ['c'], { kernel_shape: [4], strides: [stride] }),
      node('Transpose', ['c'], ['t'], { perm: [0, 2, 1] }),
      node('Shape', ['t'], ['s']),
      node('Gather', ['s', 'zero'], ['b'], { axis: 0 }),
      node('Gather', ['s', 'axis1'], ['steps'], { axis: 0 }),
      ...tail,
      node('MatMul', ['back', 'v'], ['y']),
    ],
  });
}

describe.each([1, 3, 7, 64, 160])('with a stride of %i', (stride) => {
  it.each([
    [
      'a number of positions beside a literal size',
      [
        node('Concat', ['b', 'steps', 'three', 'four'], ['apart'], { axis: 0 }),
        node('Reshape', ['t', 'apart'], ['a']),
        node('Relu', ['a'], ['r']),
        node('Concat', ['b', 'steps', 'twelve'], ['together'], { axis: 0 }),
        node('Reshape', ['r', 'together'], ['back']),
      ],
    ],
    [
      'a product of positions and literal sizes',
      [
        node('Mul', ['steps', 'four'], ['rows']),
        node('Concat', ['b', 'rows', 'three'], ['flat'], { axis: 0 }),
        node('Reshape', ['t', 'flat'], ['a']),
        node('Relu', ['a'], ['r']),
        node('Concat', ['b', 'steps', 'twelve'], ['together'], { axis: 0 }),
        node('Reshape', ['r', 'together'], ['back']),
      ],
    ],
  ])('%s is right at every length', async (_, tail) => {
    const dense = heads(stride, tail);
    const { pruned, prove } = await pruneAtRandom(dense, runtime);
    const lengths = [3, 4, 5, 4 + stride, 9 * stride + 1, 31 * stride + 5];
    expect(await runsAt(pruned, lengths)).toEqual(await runsAt(dense, lengths));
    const feeds = lengths.slice(1).map((length) => ({ x: noise('x', [2, length]) }));
    expect((await prove({ feeds })).failure).toBeUndefined();
  });
});

describe('a wrong computed value', () => {
  const dense = model({
    inputs: [value('x', ['n', 4])],
    outputs: [value('y')],
    nodes: [node('Identity', ['x'], ['y'])],
  });
  const at = (...pairs: readonly (readonly [wanted: number, computed: number])[]): Comparison['at'] =>
    pairs.map(([wanted, computed]) => ({
      dense: integerTensor('v', [wanted]),
      wanted: [wanted],
      computed: integerTensor('v', [computed]),
    }));
  const corrected = (comparison: Comparison) => {
    const edit = new ModelEdit(dense);
    const { name, nodes } = correct(comparison, undefined, edit);
    nodes.forEach((added) => edit.insertBefore(0, [added]));
    const { initializers } = edit.apply().model.graph;
    const operand = (name: string) => integersOf(initializers.find((tensor) => tensor.name === name)!)[0];
    return nodes.length === 0
      ? operand(name)
      : nodes.map(({ opType, inputs }) => [opType, operand(inputs[1]!)]);
  };

  it('becomes a constant where no symbolic dim reaches it', () => {
    expect(corrected({ value: 'v', reach: false, at: at([4, 8], [4, 8]) })).toBe(4);
  });

  it('stays computed where one may, though it moved at no size that was tried', () => {
    const comparison = { value: 'v', reach: true, at: at([4, 8], [4, 8]) };
    expect(corrected(comparison)).toEqual([['Mul', 4], ['Div', 8]]); // prettier-ignore
  });

  it('is put on a line through all sizes', () => {
    const comparison = { value: 'v', reach: true, at: at([7, 8], [10, 14], [13, 20]) };
    // 2 w = g + 6
    expect(corrected(comparison)).toEqual([['Mul', 3], ['Add', 18], ['Div', 6]]); // prettier-ignore
  });

  it.each([
    ['that no line goes through', at([7, 8], [10, 14], [14, 20])],
    ['that would lose its dependence', at([7, 8], [7, 14])],
    ['of zero that must not stay zero', at([7, 0], [7, 0])],
  ])('%s is refused', (_, pairs) => {
    expect(() => corrected({ value: 'v', reach: true, at: pairs })).toThrow(
      /can't follow the pruned channels/,
    );
  });

  it('is refused where it moves and no symbolic dim reaches it', () => {
    const comparison = { value: 'v', reach: false, at: at([7, 8], [9, 8]) };
    expect(() => corrected(comparison)).toThrow(/can't follow/);
  });
});
