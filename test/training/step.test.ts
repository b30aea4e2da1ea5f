import { beforeAll, describe, expect, it } from 'vitest';
import { nodeRuntime } from '../../src/runtime/node.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import { kl } from '../../src/training/losses/kl.js';
import { labels } from '../../src/training/losses/labels.js';
import { sumLosses } from '../../src/training/losses/sum.js';
import { StepRunner } from '../../src/training/step.js';
import { valuesOf } from '../../src/training/student.js';
import { batchOf, readReference, readStudent, referenceNames } from './reference.js';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await nodeRuntime();
});

describe('gradients of a step are those of PyTorch', () => {
  it.each(referenceNames)('%s', async (name) => {
    const reference = readReference(name);
    const student = await readStudent(name);
    expect(student.statistics.length > 0).toBe(/_bn|mlp/.test(name));
    const losses = { kl: kl({ output: 'y' }), cross_entropy: labels({ output: 'y' }) };
    for (const key of ['kl', 'cross_entropy'] as const) {
      const runner = new StepRunner({
        student,
        loss: sumLosses([{ loss: losses[key], weight: 1 }]),
        runtime,
      });
      const values = valuesOf(student);
      const found = await runner.run(batchOf(reference, name === 'bert'), values);
      await runner.release();
      expect(found.loss).toBeCloseTo(reference[key].loss, 4);
      const total = Object.values(reference[key].gradients).reduce((sum, own) => sum + own.length, 0);
      let compared = 0;
      for (const { name: weight } of student.trainable) {
        const gradient = found.gradients.get(weight)!;
        const wanted = reference[key].gradients[weight]!;
        expect(wanted).toHaveLength(gradient.length);
        const largest = Math.max(...wanted.map(Math.abs));
        wanted.forEach((value, i) =>
          expect(Math.abs(gradient[i]! - value) / largest, `${weight} at ${i}`).toBeLessThan(1e-4),
        );
        compared += gradient.length;
      }
      expect(compared).toBe(total);
    }
  });
});

describe('running statistics', () => {
  it('move a tenth of the way to those of the batch, which are mean and variance of what the layer reads', async () => {
    const student = await readStudent('mlp');
    const reference = readReference('mlp');
    const values = valuesOf(student);
    const [mean, variance] = student.statistics[0]!.running.map((name) => values.get(name)!.slice()) as [Float32Array, Float32Array]; // prettier-ignore
    const runner = new StepRunner({
      student,
      loss: sumLosses([{ loss: kl({ output: 'y' }), weight: 1 }]),
      runtime,
    });
    await runner.run(batchOf(reference, false), values);
    await runner.release();
    const weight = values.get('0.weight')!;
    for (let unit = 0; unit < mean.length; unit++) {
      const seen = Array.from(
        { length: 8 },
        (_, n) =>
        Array.from({ length: 6 }, (_, i) => reference.x[6 * n + i]! * weight[6 * unit + i]!).reduce((a, b) => a + b), // prettier-ignore
      );
      const m = seen.reduce((a, b) => a + b, 0) / 8;
      const v = seen.reduce((sum, value) => sum + (value - m) ** 2, 0) / 8;
      const [ours, theirs] = student.statistics[0]!.running.map((name) => values.get(name)![unit]!) as [
        number,
        number,
      ];
      expect(ours).toBeCloseTo(0.9 * mean[unit]! + 0.1 * m, 5);
      expect(theirs).toBeCloseTo(0.9 * variance[unit]! + 0.1 * v, 5);
    }
  });

  it('stay where they are frozen', async () => {
    const student = await readStudent('mlp', { batchStatistics: false });
    expect(student.statistics).toEqual([]);
    expect(student.training.graph.nodes).toEqual(student.model.graph.nodes);
  });
});
