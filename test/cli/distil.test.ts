import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PlanFile } from '../../src/plan/file.js';
import type { TrainingReport } from '../../src/training/report.js';
import { fillNormal, randomGenerator } from '../../src/random/random.js';
import { writeNpy } from '../oracles/npy.js';
import { run as runAll, scratch, type Outcome } from './run.js';

const reference = join(import.meta.dirname, '..', 'training', 'reference');
const dense = join(reference, 'resnet_bn.onnx');
const folder = scratch();
const at = (name: string): string => join(folder, name);
const run = (...args: readonly string[]): Promise<Outcome> => runAll(args);
const noise = ['--data', 'random', '--threads', '1'];

describe('prune --distil', () => {
  it('prunes, proves, trains and says so', async () => {
    const images = at('images.npy');
    const values = [...fillNormal(new Float32Array(120 * 768), randomGenerator('images'))];
    writeFileSync(images, writeNpy({ dtype: 'float32', dims: [120, 3, 16, 16], values }));
    const { code, stdout, stderr } = await run(
      ...[dense, '--ratio', '0.5', '--data', images, '--limit', '20', '--threads', '1', '--no-reconstruct'],
      ...['--distil', '--epochs', '8'],
      ...['--distil-loss', 'kl:y*2', '--train-batch', '12'],
      ...['--plan', at('plan.json'), '-o', at('distilled.onnx')],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/proof\s+passed/);
    expect(stdout).toMatch(/distilled\s+2 kl of y: \d.* -> \d.* on 12 held-out examples/);
    const plan = JSON.parse(readFileSync(at('plan.json'), 'utf8')) as PlanFile;
    expect(plan).toMatchObject({ weightsChanged: true, weightsTrained: true });
    const proof = await run('verify', dense, at('distilled.onnx'), '--plan', at('plan.json'));
    expect(proof.code).toBe(0);
  });

  it.each([
    [['--epochs', '2'], /--epochs says how to train; give --distil too/],
    [['--recipe', 'hesso'], /--recipe says how to train; give --distil too/],
    [['--distil', '--epochs', '0'], /invalid --epochs: 0; use a whole number from 1/],
    [['--distil', '--distil-loss', 'kll'], /invalid --distil-loss/],
    [
      ['--distil', '--learning-rate-schedule', 'step'],
      /invalid --learning-rate-schedule: step; use one of constant/,
    ],
    [['--distil', '--augment', 'flip,turn'], /invalid --augment/],
  ])('refuses %j', async (flags, message) => {
    const { code, stderr } = await run(dense, '--ratio', '0.5', ...noise, '-o', at('none.onnx'), ...flags);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
    expect(existsSync(at('none.onnx'))).toBe(false);
  });
});

describe('prune distil', () => {
  it('trains a file that was pruned before, with a plan, checkpoints and a report', async () => {
    const pruned = at('sliced.onnx');
    const plan = at('sliced.json');
    expect((await run(dense, '--ratio', '0.5', '--plan', plan, '-o', pruned)).code).toBe(0);
    const trained = at('trained.onnx');
    const { code, stdout, stderr } = await run(
      ...[
        'distil',
        dense,
        pruned,
        '--plan',
        plan,
        ...noise,
        '--limit',
        '40',
        '--epochs',
        '2',
        '--train-batch',
        '8',
      ],
      ...[
        '--distil-loss',
        'inner',
        '--checkpoint',
        at('states'),
        '--new-plan',
        at('new.json'),
        '-o',
        trained,
      ],
      ...['--json', at('report.json')],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/trained\s+mse of/);
    const report = JSON.parse(readFileSync(at('report.json'), 'utf8')) as TrainingReport;
    expect(report.passes).toHaveLength(2);
    expect(existsSync(at(join('states', 'checkpoint-2.bin')))).toBe(true);
    expect((await run('verify', dense, trained, '--plan', at('new.json'))).code).toBe(0);
  });

  it('writes the last good state where training diverges, and says so', async () => {
    const pruned = at('sliced.onnx');
    const { code, stderr } = await run(
      ...[
        'distil',
        dense,
        pruned,
        ...noise,
        '--limit',
        '40',
        '--optimizer',
        'sgd',
        '--learning-rate',
        '1e30',
      ],
      ...['-o', at('diverged.onnx')],
    );
    expect(code).toBe(10);
    expect(stderr).toMatch(/training diverged: .*; the last good state was written/);
    expect(existsSync(at('diverged.onnx'))).toBe(true);
  });

  it('needs data and an output', async () => {
    const [a, b] = [
      await run('distil', dense, dense, '-o', at('x.onnx')),
      await run('distil', dense, dense, ...noise),
    ];
    expect([a.code, b.code]).toEqual([2, 2]);
    expect(a.stderr).toMatch(/no data; give --data PATH/);
    expect(b.stderr).toMatch(/no output; give -o FILE/);
  });
});
