import { beforeAll, expect, it } from 'vitest';
import { dataFromArrays } from '../../src/data/batches.js';
import type { DataSource } from '../../src/data/batch.js';
import { modelInputs } from '../../src/data/inputs.js';
import { evaluate } from '../../src/evaluate/evaluate.js';
import type { AttributeValue, Model } from '../../src/onnx/model.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { floatTensor, integerTensor } from '../../src/onnx/values.js';
import { prunePipeline } from '../../src/pipeline/prune.js';
import { randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { graph, model, node, withInput } from '../onnx/build.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

const [steps, batch, states] = [6, 4, 6];

interface Case {
  readonly opType: 'RNN' | 'GRU' | 'LSTM';
  readonly direction: 'forward' | 'reverse' | 'bidirectional';
}

const gatesOf = { RNN: 1, GRU: 3, LSTM: 4 } as const;

function values(name: string, count: number): number[] {
  const next = randomGenerator(name);
  return Array.from({ length: count }, () => 0.8 * (next() - 0.45));
}

/**
 * Inputs 4 to 7 of the recurrence are multiples of 0 to 3, states 3 to 5 are the same as 0 to 2: half of both says
 * nothing new, and weights that know it lose nothing.
 */
function redundant({ opType, direction }: Case): Model {
  const directions = direction === 'bidirectional' ? 2 : 1;
  const gates = gatesOf[opType];
  const first = Array.from({ length: 3 }, (_, row) => values(`w${row}`, 4));
  const w = first.flatMap((row) => [...row, ...row.map((v) => 0.3 * v)]);
  /** [directions, gates · states, columns] in which the rows of later states repeat earlier ones. */
  const repeated = (name: string, columns: number): number[] =>
    Array.from({ length: directions * gates }, (_, gate) => {
      const rows = Array.from({ length: states / 2 }, (__, row) => values(`${name}${gate}${row}`, columns));
      return [...rows, ...rows].flat();
    }).flat();
  const attributes: Record<string, AttributeValue> = {
    hidden_size: { type: 'int', value: BigInt(states) },
    direction: { type: 'string', value: new TextEncoder().encode(direction) },
    ...(opType === 'GRU' && { linear_before_reset: { type: 'int', value: 1n } }),
  };
  const nodes = [
    node('MatMul', ['x', 'w'], ['c']),
    node(opType, ['c', 'W', 'R', 'B'], ['h'], attributes),
    node('Transpose', ['h'], ['t'], { perm: { type: 'ints', value: [0n, 2n, 1n, 3n] } }),
    node('Reshape', ['t', 'flat'], ['f']),
    node('MatMul', ['f', 'v'], ['q']),
    node('Add', ['q', 'd'], ['y']),
  ];
  const rows = gates * states;
  const tensors: Tensor[] = [
    floatTensor('w', w, [3, 8]),
    floatTensor('W', repeated('W', 8), [directions, rows, 8]),
    floatTensor('R', repeated('R', states), [directions, rows, states]),
    floatTensor('B', repeated('B', 1).flatMap((v, i, all) => (i % rows === 0 ? [...all.slice(i, i + rows), ...all.slice(i, i + rows)] : [])), [directions, 2 * rows]), // prettier-ignore
    integerTensor('flat', [steps, -1, directions * states]),
    floatTensor('v', values('v', directions * states * 5), [directions * states, 5]),
    floatTensor('d', values('d', 5)),
  ];
  return withInput(model(graph(nodes, ['x'], ['y'], tensors)), [steps, batch, 3]);
}

/** Sequences come in batches of their own: the first axis is that of steps. */
function sequences(dense: Model, seed: string): DataSource {
  const count = 24 * steps;
  const data = Float32Array.from(values(seed, count * batch * 3), (v) => 3 * v);
  return dataFromArrays({ x: { data, dims: [count, batch, 3] } }, modelInputs(dense));
}

it.each<Case>([
  { opType: 'LSTM', direction: 'forward' },
  { opType: 'LSTM', direction: 'bidirectional' },
  { opType: 'GRU', direction: 'reverse' },
  { opType: 'GRU', direction: 'bidirectional' },
  { opType: 'RNN', direction: 'forward' },
])('a $direction $opType whose removed inputs and states say nothing new is made whole', async (given) => {
  const dense = redundant(given);
  const options = {
    ratio: 0.5,
    roundTo: 1,
    criterion: ({ group: { size } }: { readonly group: { readonly size: number } }) =>
      Array.from({ length: size }, (_, i) => size - i),
    runtime,
    data: sequences(dense, 'calibration'),
    verify: 'full' as const,
  };
  const gap = async (candidate: Model): Promise<number> => {
    const data = sequences(dense, 'fresh');
    return (await evaluate(candidate, { runtime, data, reference: dense })).differences![0]!.relative!;
  };
  const plain = await prunePipeline(dense, { ...options, reconstruct: false });
  const { model: pruned, report } = await prunePipeline(dense, {
    ...options,
    reconstruct: { damping: 1e-9 },
  });
  expect(report.verification?.passed).toBe(true);
  expect(report.groups.filter(({ kept, size }) => kept === size / 2)).toHaveLength(2);
  expect(await gap(plain.model)).toBeGreaterThan(0.02);
  expect(await gap(pruned)).toBeLessThan(1e-3);
  const names = report.reconstruction!.layers.map(({ node: name }) => name);
  expect(names.filter((name) => name.includes('(recurrent)'))).toHaveLength(
    given.direction === 'bidirectional' ? 2 : 1,
  );
});

it('obspa falls back to magnitude where only recurrences read a group', async () => {
  const dense = redundant({ opType: 'LSTM', direction: 'forward' });
  const keptBy = async (criterion: 'obspa' | 'magnitude'): Promise<readonly number[][]> => {
    const data = sequences(dense, 'calibration');
    const { plan } = await prunePipeline(dense, { ratio: 0.5, only: ['w'], criterion, runtime, data });
    return [...plan.kept.values()].map((indices) => [...indices]);
  };
  expect(await keptBy('obspa')).toEqual(await keptBy('magnitude'));
});
