import { beforeAll, expect, it } from 'vitest';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import type { Model } from '../../src/onnx/model.js';
import { floatTensor } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { OutputError } from '../../src/statistics/output-error.js';
import { graph, model, node, withInput } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const rows = [
  [0.3, -1, 2],
  [1.5, 0.2, -0.4],
];

/** Puts out its input plus a constant, maybe through more nodes. */
function plus(
  shift: readonly number[],
  dims: readonly number[],
  more: readonly ReturnType<typeof node>[] = [],
): Model {
  const nodes = [node('Add', ['x', 'c'], [more.length > 0 ? 'a' : 'y']), ...more];
  return withInput(model(graph(nodes, ['x'], ['y'], [floatTensor('c', shift)])), ['n', ...dims]);
}

function data(dense: Model, dims: readonly number[]) {
  const values = {
    data: Float32Array.from(rows.flat()),
    dims: [6 / dims.reduce((a, b) => a * b, 1), ...dims],
  };
  return dataFromArrays({ x: values }, modelInputs(dense));
}

async function error(dense: Model, other: Model, dims: readonly number[]): Promise<number> {
  const measure = await OutputError.open(dense, data(dense, dims), runtime);
  expect(await measure!.of(dense)).toBeCloseTo(0, 9);
  return measure!.of(other);
}

const softmax = (row: readonly number[]): number[] => {
  const sum = row.reduce((total, value) => total + Math.exp(value), 0);
  return row.map((value) => Math.exp(value) / sum);
};

const divergence = (shift: readonly number[]): number =>
  rows.reduce((sum, row) => {
    const [p, q] = [softmax(row), softmax(row.map((value, i) => value + shift[i]!))];
    return sum + p.reduce((own, value, i) => own + value * Math.log(value / q[i]!), 0) / rows.length;
  }, 0);

const shift = [0.5, 0, -0.3];

it('is the divergence of classes, from logits or from probabilities', async () => {
  expect(await error(plus([0, 0, 0], [3]), plus(shift, [3]), [3])).toBeCloseTo(divergence(shift), 5);
  const soft = [node('Softmax', ['a'], ['y'])];
  const found = await error(plus([0, 0, 0], [3], soft), plus(shift, [3], soft), [3]);
  expect(found).toBeCloseTo(divergence(shift), 5);
});

it('is the squared error of other numbers as a share of their variance', async () => {
  const mean = (column: number): number => (rows[0]![column]! + rows[1]![column]!) / 2;
  const variance = [0, 1, 2].reduce((sum, c) => sum + rows.reduce((own, row) => own + (row[c]! - mean(c)) ** 2, 0) / 2, 0); // prettier-ignore
  const squares = shift.reduce((sum, value) => sum + value ** 2, 0);
  expect(await error(plus([0, 0, 0], [2, 3]), plus(shift, [2, 3]), [2, 3])).toBeCloseTo(
    squares / variance,
    5,
  );
});
