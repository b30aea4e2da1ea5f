import { describe, expect, it } from 'vitest';
import { analyze } from '../../src/api.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatTensor } from '../../src/onnx/values.js';
import type { Node } from '../../src/onnx/model.js';
import { studentOf, valuesOf, withValues, type StudentOptions } from '../../src/training/student.js';
import { graph, model, node, randomTensor, withInput } from '../onnx/build.js';

async function student(
  nodes: Node[],
  initializers: Tensor[],
  dims: readonly number[],
  options?: StudentOptions,
) {
  const made = withInput(model(graph(nodes, ['x'], ['y'], initializers)), dims);
  return studentOf((await analyze(made)).axes, options);
}

const zeros = (name: string, count: number): Tensor => floatTensor(name, new Float32Array(count));

describe('what trains in a model', () => {
  it('is told by roles: weights, biases, scales, in initializers of their own', async () => {
    const found = await student(
      [
        node('Conv', ['x', 'w', 'zero'], ['a']),
        node('BatchNormalization', ['a', 'one', 'zero', 'zero', 'one'], ['b']),
        node('Mul', ['b', 'half'], ['c']),
        node('Conv', ['c', 'v', 'zero'], ['y']),
      ],
      [randomTensor('w', [4, 3, 1, 1]), randomTensor('v', [4, 4, 1, 1]), zeros('zero', 4), floatTensor('one', [1, 1, 1, 1]), floatTensor('half', [0.5], [])], // prettier-ignore
      [2, 3, 5, 5],
    );
    const kinds = found.trainable.map(({ kind }) => kind).sort();
    expect(kinds).toEqual(['bias', 'bias', 'norm', 'norm', 'weight', 'weight']);
    expect(new Set(found.trainable.map(({ name }) => name)).size).toBe(6);
    expect(found.statistics).toHaveLength(1);
    // The one vector of zeros is four: two biases, a shift and a running mean.
    const names = found.model.graph.initializers.map(({ name }) => name);
    const copies = names.filter((name) => name === 'zero' || name.startsWith('zero/'));
    expect(copies).toHaveLength(4);
    const reads = found.model.graph.nodes
      .flatMap(({ inputs }) => inputs)
      .filter((name) => copies.includes(name));
    expect(new Set(reads).size).toBe(4);
  });

  it('leaves alone what is read as no parameter too', async () => {
    // Zeros that are a bias and an initial state; states have no role.
    const w = (name: string, dims: number[]): Tensor => randomTensor(name, dims);
    const found = await student(
      [
        node('RNN', ['x', 'w', 'r', '', '', 'state'], ['', 'h'], { hidden_size: { type: 'int', value: 3n } }),
        node('Add', ['h', 'state'], ['y']),
      ],
      [w('w', [1, 3, 2]), w('r', [1, 3, 3]), floatTensor('state', [0, 0, 0], [1, 1, 3])],
      [4, 1, 2],
    );
    const [rnn, add] = found.model.graph.nodes as [Node, Node];
    expect(rnn.inputs[5]).toBe('state');
    expect(found.trainable.map(({ name }) => name)).toEqual(['w', 'r', add.inputs[1]]);
    expect(add.inputs[1]).not.toBe('state');
  });

  it('is no mask, no integer and no constant of the program, and the reason is said', async () => {
    const mask = floatTensor('mask', [0, -1e9, 0, 0], [2, 2]);
    const constant = node('Constant', [], ['k'], { value_floats: { type: 'floats', value: [2, 2] } });
    const found = await student(
      [constant, node('MatMul', ['x', 'w'], ['a']), node('Add', ['a', 'mask'], ['b']), node('Mul', ['b', 'k'], ['y'])], // prettier-ignore
      [randomTensor('w', [2, 2]), mask],
      [2, 2],
    );
    expect(found.trainable.map(({ name }) => name)).toEqual(['w']);
    expect(found.frozen).toEqual([
      { name: 'mask', why: 'it has values beyond 10000, as masks have' },
      { name: 'k', why: 'it is a Constant of equal elements, part of the program' },
    ]);
  });

  it('can be nothing, which is refused', async () => {
    const nodes = [node('MatMul', ['x', 'w'], ['y'])];
    await expect(student(nodes, [randomTensor('w', [2, 2])], [2, 2], { trainable: 'norms' })).rejects.toThrow(
      /the model has no norms that can be trained/,
    );
    await expect(student([node('Relu', ['x'], ['y'])], [], [2, 2])).rejects.toThrow(
      /no weights that can be trained/,
    );
  });

  it('takes statistics of the batch while training only, and from opset 14 on', async () => {
    const nodes = [node('MatMul', ['x', 'w'], ['a']), node('BatchNormalization', ['a', 's', 'b', 'm', 'v'], ['y'])]; // prettier-ignore
    const tensors = ['s', 'b', 'm', 'v'].map((name) => randomTensor(name, [4]));
    const made = (opset: number) =>
      analyze(
        withInput(model(graph(nodes, ['x'], ['y'], [randomTensor('w', [3, 4]), ...tensors]), opset), [2, 3]),
      );
    const recent = studentOf((await made(17)).axes);
    const training = recent.training.graph.nodes[1]!;
    expect(training.attributes.get('training_mode')?.value).toBe(1n);
    expect(training.outputs).toHaveLength(3);
    expect(recent.model.graph.nodes[1]!.attributes.has('training_mode')).toBe(false);
    expect(recent.statistics[0]!.running).toEqual(['m', 'v']);
    expect(studentOf((await made(12)).axes).statistics).toEqual([]);
  });
});

it('values go into a model and come out again', async () => {
  const found = await student([node('MatMul', ['x', 'w'], ['y'])], [randomTensor('w', [2, 2])], [2, 2]);
  const values = valuesOf(found);
  values.get('w')!.set([1, 2, 3, 4]);
  expect([...valuesOf({ ...found, model: withValues(found.model, values) }).get('w')!]).toEqual([1, 2, 3, 4]);
  expect([...valuesOf(found).get('w')!]).not.toEqual([1, 2, 3, 4]);
});
