/** Names that plain objects hold already, or that are not UTF-8, are names as any others. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { analyze, bench, decodeModel, evaluate, inspect, prune } from '../../src/index.js';
import { encodeModel } from '../../src/onnx/codec.js';
import { floatTensor } from '../../src/onnx/values.js';
import { model, node, value } from '../shapes/build-model.js';

const ramp = (name: string, dims: readonly number[]) =>
  floatTensor(name, Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => Math.sin(i)), dims); // prettier-ignore

const names = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'a\uDCE9',
  '\u001b[31mred',
  '\u202Eback',
];

describe.each(names)('the name %j', (name) => {
  /** In each role in turn; all others have plain names. */
  const roles = ['input', 'output', 'hidden', 'weight', 'node', 'symbol', 'attribute'] as const;
  const named = (role: (typeof roles)[number] | undefined) => {
    const of = (other: typeof role, plain: string): string => (role === other ? name : plain);
    const [x, y, h, w] = [of('input', 'x'), of('output', 'y'), of('hidden', 'h'), of('weight', 'w')];
    return encodeModel(
      model({
        inputs: [value(x, [of('symbol', 'n'), 3, 6, 6])],
        outputs: [value(y, [of('symbol', 'n'), 4, 6, 6])],
        initializers: [ramp(w, [8, 3, 1, 1]), ramp('v', [4, 8, 1, 1])],
        nodes: [
          node('Conv', [x, w], [h], role === 'attribute' ? {} : { group: 1 }, of('node', 'first')),
          node('Relu', [h], ['r']),
          node('Conv', ['r', 'v'], [y]),
        ],
      }),
    );
  };

  it.each(roles)('of an %s', async (role) => {
    const file = named(role);
    const dense = decodeModel(file);
    const data = { path: 'random', limit: 4, batch: 2 };
    for (const options of [{ verify: 'full' }, { criterion: 'taylor', data, reconstruct: true }] as const) {
      const { report, model: pruned } = await prune(dense, { ratio: 0.5, ...options });
      expect(report.verification?.passed).toBe(true);
      expect(report.verification?.compared).toBeGreaterThan(1);
      expect(pruned.graph.inputs.map((info) => info.name)).toEqual(
        dense.graph.inputs.map((info) => info.name),
      );
      expect(pruned.graph.outputs.map((info) => info.name)).toEqual(
        dense.graph.outputs.map((info) => info.name),
      );
    }
  });
});

it('such inputs and outputs are inspected, evaluated and timed', async () => {
  const dense = decodeModel(
    encodeModel(
      model({
        inputs: [value('__proto__', ['n', 4])],
        outputs: [value('constructor')],
        initializers: [ramp('w', [4, 8]), ramp('v', [8, 3])],
        nodes: [
          node('MatMul', ['__proto__', 'w'], ['toString']),
          node('MatMul', ['toString', 'v'], ['constructor']),
        ],
      }),
    ),
  );
  expect(inspect(await analyze(dense)).groups).toHaveLength(1);
  const data = { path: 'random', limit: 4, batch: 2 };
  const { differences } = await evaluate(dense, { data, reference: dense });
  expect(differences!.map(({ output, max }) => [output, max])).toEqual([['constructor', 0]]);
  const timed = await bench([{ name: 'dense', model: dense }], { runs: 2, warmup: 1 });
  expect(timed.models).toHaveLength(1);
});

it('a file with such an input is pruned by its name', async () => {
  const dense = decodeModel(readFileSync(new URL('../cases/names/ctor_in.onnx', import.meta.url)));
  const { report } = await prune(dense, { ratio: 0.5, shapes: { constructor: [1, 3, 8, 8] } });
  expect(report.verification?.passed).toBe(true);
});
