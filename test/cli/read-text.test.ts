import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { addFlags } from '../../src/cli/flags.js';
import { dataOptions } from '../../src/options/data.js';
import { pruneOptions } from '../../src/options/prune.js';
import { validate } from '../../src/options/validate.js';

/** What flags stand for. */
function read(...args: string[]) {
  const command = new Command().exitOverride();
  const readers = [addFlags(command, pruneOptions), addFlags(command, dataOptions)];
  command.parse(args, { from: 'user' });
  return Object.assign({}, ...readers.map((reader) => reader())) as Record<string, unknown>;
}

describe('a flag', () => {
  it.each([
    [['--ratio', '0.5'], { ratio: 0.5 }],
    [['--ratio', '50%'], { ratio: 0.5 }],
    [['--max-ratio', '100%'], { maxRatio: 1 }],
    [['--round-to', 'auto'], { roundTo: 'auto' }],
    [['--round-to', '8'], { roundTo: 8 }],
    [['--residual-stream'], { residualStream: true }],
    [['--ignore', 'a', '--ignore', 'b,c'], { ignore: ['a', 'b,c'] }],
    [['--group', 'a=b=0.5', '--group', 'c=25%'], { ratios: { 'a=b': 0.5, c: 0.25 } }],
    [['--shape', 'x=1,3,8,8', '--shape', 'y=2'], { shapes: { x: [1, 3, 8, 8], y: [2] } }],
    [['--budget', 'macs=50%', '--budget', 'params=3e5'], { budget: { macs: '50%', params: '3e5' } }],
    [['--axis-rule', 'my::Op=n c, c -> n c'], { axisRules: { 'my::Op': 'n c, c -> n c' } }],
    [['--loss', 'kl'], { loss: 'kl' }],
    [['--loss', 'mse=/head/Conv=0'], { loss: { loss: 'mse', output: '/head/Conv=0' } }],
    [['--no-verify'], { verify: 'none' }],
    [['--no-reconstruct', '--no-rotation'], { reconstruct: false, rotation: false }],
    [['--data', 'x.npz', '--mean', '0.1,0.2', '--std', '2'], { data: 'x.npz', mean: [0.1, 0.2], std: 2 }],
    [['--crop', '8', '--classes', 'cat,dog'], { crop: 8, classes: ['cat', 'dog'] }],
    [['--crop', '8,9'], { crop: [8, 9] }],
  ])('%j', (args, expected) => {
    expect(read(...args)).toEqual(expected);
  });

  it.each([
    [['--steps', '50%'], /invalid --steps: 50%; use a whole number from 1 to 1,000/],
    [['--steps', '0x10'], /invalid --steps: 0x10/],
    [['--ratio', '1'], /invalid --ratio: 1; use a number in \[0, 1\)/],
    [['--shape', 'x'], /invalid --shape: x; write it as name=dims/],
    [['--loss', 'hinge'], /invalid --loss: hinge; use one of cross-entropy/],
    [['--loss', 'kl='], /invalid --loss: kl=; use a text that is not empty/],
    [['--crop', '8,9,10'], /invalid --crop: 8,9,10; use/],
    [['--budget', 'flops=1'], /invalid --budget: flops=1; use macs, parameters, bytes, latency$/],
  ])('%j is refused', (args, message) => {
    expect(() => read(...args)).toThrow(message);
  });

  it('can be given for every option that has a help', () => {
    const silent = Object.entries(pruneOptions).filter(
      ([, option]) => !('flag' in option) && 'help' in option,
    );
    expect(silent).toEqual([]);
  });
});

it('a configuration file can hold the settings of a loss', () => {
  const settings = { loss: 'mse', target: 'boxes', axis: 2 } as const;
  expect(validate(pruneOptions, { loss: settings }).loss).toEqual(settings);
  expect(() => validate(pruneOptions, { loss: { loss: 'kl', weight: 2 } })).toThrow(
    /unknown option 'weight' of loss; use loss, output, axis, target/,
  );
  expect(() => validate(pruneOptions, { loss: { loss: 'kl', axis: 'last' } })).toThrow(
    /invalid loss.axis: 'last'/,
  );
});
