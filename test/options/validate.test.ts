import { describe, expect, it } from 'vitest';
import { prune, type PruneOptions } from '../../src/index.js';
import { nearest } from '../../src/options/nearest.js';
import { resolveOptions } from '../../src/options/resolve.js';
import { trained } from '../cli/run.js';

const model = trained('resnet20');

/** As a program without types would give them. */
const given = (options: unknown) => options as PruneOptions;

describe('an option that', () => {
  it.each([
    ['is missing', undefined, /no target; give exactly one of ratio, budget and plan, or depth/],
    ['is no object', 0.5, /invalid options: 0.5; use an object with options/],
    [
      'is a number for an object',
      { budget: 0.5 },
      /invalid budget: 0.5; use an object with macs, parameters/,
    ],
    ['is misspelt', { roundto: 8 }, /unknown option 'roundto'; use roundTo$/],
    [
      'is like no other',
      { ratio: 0.5, xyzzy: 8 },
      /unknown option 'xyzzy'; use signal, onProgress, runtime, /,
    ],
    ['is text for a number', { ratio: '0.5' }, /invalid ratio: '0.5'; use a number in \[0, 1\)/],
    [
      'names no normalization',
      { ratio: 0.5, normalization: 'gausian' },
      /'gausian'; use one of .*gaussian\?\)/,
    ],
    ['names no aggregation', { ratio: 0.5, aggregation: 'average' }, /'average'; use one of mean, sum, max/],
    ['names no criterion', { ratio: 0.5, criterion: 'magnitud' }, /\(did you mean magnitude\?\)/],
    [
      'asks for too many steps',
      { ratio: 0.5, steps: 1e9 },
      /invalid steps: 1000000000; use a whole number from 1 to 1,000/,
    ],
    ['asks for half a step', { ratio: 0.5, steps: 1.5 }, /invalid steps: 1.5/],
    ['asks for no step', { ratio: 0.5, steps: 0 }, /invalid steps: 0/],
    [
      'names no schedule',
      { ratio: 0.5, schedule: 'square' },
      /invalid schedule: 'square'; use one of linear, cubic/,
    ],
    [
      'is misspelt inside',
      { ratio: 0.5, data: 'random', reconstruct: { dampng: 1 } },
      /unknown option 'dampng' of reconstruct; use damping$/,
    ],
    [
      'is wrong inside',
      { ratio: 0.5, data: 'random', reconstruct: { repair: 'bias' } },
      /invalid reconstruct.repair: 'bias'; use one of weights, statistics, mean-to-bias/,
    ],
    [
      'is wrong inside data',
      { ratio: 0.5, data: { path: 'x', limit: 0 } },
      /invalid data.limit: 0; use a whole number from 1/,
    ],
    ['lacks a path', { ratio: 0.5, data: { limit: 1 } }, /invalid data/],
    [
      'is a loss with a wrong name',
      { ratio: 0.5, loss: { loss: 'klx' } },
      /invalid loss.loss: 'klx'; use one of .*\(did you mean kl\?\)/,
    ],
    [
      'is one target too many',
      { ratio: 0.5, budget: { macs: 0.5 } },
      /ratio and budget exclude each other; give one/,
    ],
    ['reconstructs on nothing', { ratio: 0.5, reconstruct: true }, /reconstruction needs calibration data/],
    ['removes branches by nothing', { depth: 0.5 }, /residual branches are scored on data/],
    ['removes all branches', { depth: 1, data: 'random' }, /invalid depth: 1; use a number between 0 and 1/],
    ['is no function', { ratio: 0.5, onProgress: 1 }, /invalid onProgress: 1; give a function/],
  ])('%s', async (_what, options, message) => {
    await expect(prune(model, given(options))).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(prune(model, given(options))).rejects.toThrow(message);
  });
});

describe('the defaults', () => {
  it('are those of plain magnitudes without data', () => {
    expect(resolveOptions({ ratio: 0.5 })).toMatchObject({
      criterion: 'magnitude',
      reconstruct: false,
      select: 'uniform',
      maxRatio: 1,
      roundTo: 'fast',
      steps: 1,
      seed: 0,
    });
  });

  it('are obspa and reconstruction where there is data, of which 1,024 examples are drawn', () => {
    const { criterion, reconstruct, data } = resolveOptions({ ratio: 0.5, data: 'examples.npz', seed: 3 });
    expect([criterion, reconstruct]).toEqual(['obspa', {}]);
    expect(data).toEqual({ path: 'examples.npz', limit: 1024, draw: 'shuffle', seed: 3 });
    const own = resolveOptions({
      ratio: 0.5,
      data: { path: 'x', limit: 5, draw: 'first', seed: 1 },
      seed: 3,
    });
    expect(own.data).toEqual({ path: 'x', limit: 5, draw: 'first', seed: 1 });
  });

  it('are magnitudes where data repairs less than weights, or nothing', () => {
    const of = (reconstruct: PruneOptions['reconstruct']) =>
      resolveOptions({ ratio: 0.5, data: 'random', reconstruct }).criterion;
    expect([of(false), of({ repair: 'statistics' }), of({}), of(true)]).toEqual([
      'magnitude',
      'magnitude',
      'obspa',
      'obspa',
    ]);
  });

  it('share a budget out by a knapsack where scores can be compared and nothing else is said', () => {
    const of = (more: PruneOptions) => {
      const { select, maxRatio } = resolveOptions({ budget: { macs: 0.5 }, ...more });
      return [select, maxRatio];
    };
    expect(of({ data: 'random' })).toEqual(['measured', 0.9]);
    expect(of({ data: 'random', steps: 2 })).toEqual(['knapsack', 0.9]);
    expect(of({ data: 'random', criterion: 'obspa', reconstruct: false })).toEqual(['knapsack', 0.9]);
    expect(of({ data: 'random', scope: 'local' })).toEqual(['uniform', 1]);
    expect(of({ data: 'random', ratios: { fc: 0.1 } })).toEqual(['uniform', 1]);
    expect(of({ scope: 'global' })).toEqual(['uniform', 0.9]);
    expect(of({})).toEqual(['uniform', 1]);
    const short = resolveOptions({ budget: { macs: 0.5 }, criterion: 'knapsack', data: 'random' });
    expect(short).toMatchObject({ criterion: 'taylor', select: 'knapsack' });
  });

  it('stand after one resolution', () => {
    for (const options of [
      { ratio: 0.5 },
      { budget: { params: '50%' }, data: 'random' },
      { budget: { latency: '60%' }, criterion: 'knapsack' as const, data: 'random' },
      { depth: 0.2, data: { path: 'x', mean: [1, 2] }, reconstruct: { repair: 'statistics' as const } },
    ]) {
      const once = resolveOptions(options);
      expect(resolveOptions(once)).toEqual(once);
    }
  });
});

describe('the nearest name', () => {
  it.each([
    ['roundto', 'roundTo'],
    ['inspct', 'inspect'],
    ['magnitud', 'magnitude'],
    ['ofrmat', 'format'],
    ['xyzzy', undefined],
    ['', undefined],
  ])('to %s is %s', (word, meant) => {
    expect(nearest(word, ['roundTo', 'inspect', 'magnitude', 'format', 'only'])).toBe(meant);
  });
});
