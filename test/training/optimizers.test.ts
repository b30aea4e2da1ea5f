import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adamw } from '../../src/training/optimizers/adamw.js';
import { resolveOptimizer } from '../../src/training/optimizers/resolve.js';
import { sgd } from '../../src/training/optimizers/sgd.js';
import { folder } from './reference.js';

interface Case {
  readonly optimizer: 'sgd' | 'adamw';
  readonly options: {
    readonly lr: number;
    readonly momentum?: number;
    readonly nesterov?: boolean;
    readonly weight_decay?: number;
    readonly betas?: readonly [number, number];
    readonly eps?: number;
  };
  readonly first: readonly number[];
  readonly steps: readonly { readonly gradient: readonly number[]; readonly after: readonly number[] }[];
}

const cases = JSON.parse(readFileSync(join(folder, 'optimizers.json'), 'utf8')) as readonly Case[];

describe('three steps on given gradients are those of PyTorch', () => {
  it.each(cases.map((own) => [`${own.optimizer} ${JSON.stringify(own.options)}`, own] as const))(
    '%s',
    (_, { optimizer: name, options, first, steps }) => {
      const { lr, momentum, nesterov, weight_decay: decay = 0, betas, eps: epsilon } = options;
      const optimizer = name === 'sgd' ? sgd({ momentum, nesterov }) : adamw({ betas, epsilon });
      const values = Float32Array.from(first);
      const slots = Array.from({ length: optimizer.slots }, () => new Float32Array(values.length));
      let before: readonly number[] = first;
      steps.forEach(({ gradient, after }, i) => {
        optimizer.step(values, Float32Array.from(gradient), slots, { learningRate: lr, decay, step: i + 1 });
        const largest = Math.max(...after.map((value, k) => Math.abs(value - before[k]!)));
        after.forEach((value, k) => expect(Math.abs(values[k]! - value) / largest).toBeLessThan(1e-6));
        before = after;
      });
    },
  );
});

it('has a name for each, and refuses others', () => {
  expect(resolveOptimizer().name).toBe('adamw');
  expect(resolveOptimizer('sgd').name).toBe('sgd');
  expect(() => resolveOptimizer('lion' as 'sgd')).toThrow(/unknown optimizer: lion; use one of adamw, sgd/);
  expect(() => sgd({ momentum: 1 })).toThrow(/invalid momentum/);
  expect(() => adamw({ betas: [0.9, 1] })).toThrow(/invalid betas/);
});
