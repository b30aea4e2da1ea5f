import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { analyze, loadModel } from '../../src/api.js';
import { dataFromArrays } from '../../src/data/batches.js';
import { modelInputs } from '../../src/data/inputs.js';
import type { Model } from '../../src/onnx/model.js';
import { floatsOf } from '../../src/onnx/values.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { lowRankParameters } from '../../src/training/low-rank.js';
import { studentOf, type TrainableSet } from '../../src/training/student.js';
import { trainStudent } from '../../src/training/train.js';
import { folder } from './reference.js';

describe('a low-rank update', () => {
  const trainable = [{ name: 'w', dims: [12, 3, 3], kind: 'weight' as const }];
  const draw = (seed: string, count = 108): Float32Array => fillNormal(new Float32Array(count), randomGenerator(seed)); // prettier-ignore

  it('changes nothing at first, and then by B·A', () => {
    const values = new Map([['w', draw('w')]]);
    const parameters = lowRankParameters(trainable, values, { rank: 2, seed: 0 });
    parameters.push();
    expect(values.get('w')).toEqual(draw('w'));
    const [a, b] = ['w/A', 'w/B'].map((name) => parameters.leaves.get(name)!) as [Float32Array, Float32Array];
    expect([a.length, b.length]).toEqual([2 * 9, 12 * 2]);
    b.set(draw('b', 24));
    parameters.push();
    for (let row = 0; row < 12; row++)
      for (let c = 0; c < 9; c++) {
        const wanted = draw('w')[9 * row + c]! + b[2 * row]! * a[c]! + b[2 * row + 1]! * a[9 + c]!;
        expect(values.get('w')![9 * row + c]).toBeCloseTo(wanted, 5);
      }
  });

  it('has the gradients that differences of a function of the weight have', () => {
    const values = new Map([['w', draw('w')]]);
    const parameters = lowRankParameters(trainable, values, { rank: 2, seed: 0 });
    parameters.leaves.get('w/B')!.set(draw('b', 24));
    parameters.push();
    // f(W) = Σ g·W, whose gradient is g.
    const g = draw('g');
    const value = (): number => values.get('w')!.reduce((sum, w, i) => sum + w * g[i]!, 0);
    const found = parameters.pull(new Map([['w', g]]));
    for (const [name, leaf] of parameters.leaves)
      for (let i = 0; i < leaf.length; i += 5) {
        const at = leaf[i]!;
        const sides = [0.1, -0.1].map((step) => {
          leaf[i] = at + step;
          parameters.push();
          return value();
        });
        leaf[i] = at;
        expect(found.get(name)![i]).toBeCloseTo((sides[0]! - sides[1]!) / 0.2, 3);
      }
  });
});

describe('what trains', () => {
  it.each(['all', 'norms', 'biases', 'low-rank'] as const)('%s', async (trainable: TrainableSet) => {
    const dense = await loadModel(join(folder, 'resnet_bn.onnx'));
    const { axes } = await analyze(dense);
    const x = fillNormal(new Float32Array(40 * 768), randomGenerator('images'));
    const data = dataFromArrays({ x: { data: x, dims: [40, 3, 16, 16] } }, modelInputs(dense));
    const target = await loadModel(join(folder, 'resnet_folded.onnx'));
    const { model, report } = await trainStudent({
      ...{ teacher: target, student: axes, data, runtime: await nodeRuntime(), trainable, rank: 2 },
      ...{ epochs: 2, trainBatch: 12, heldOut: 4, learningRate: 0.01 },
    });
    expect(report.after).toBeLessThan(report.before);
    const student = studentOf(axes);
    const kinds = student.trainable;
    const numbers = (own: Model): Map<string, number[]> =>
      new Map(own.graph.initializers.map((tensor) => [tensor.name, [...floatsOf(tensor, { widen: true })]]));
    const [before, after] = [numbers(student.model), numbers(model)];
    const isWanted = (kind: string): boolean =>
      trainable === 'all' ||
      trainable === 'low-rank' ||
      kind === 'norm' ||
      (trainable === 'biases' && kind === 'bias');
    for (const { name, kind } of kinds)
      expect(after.get(name)?.join() !== before.get(name)?.join(), name).toBe(isWanted(kind));
    expect(new Set(kinds.map(({ kind }) => kind))).toEqual(new Set(['weight', 'norm', 'bias']));
  });
});
