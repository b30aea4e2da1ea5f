import type { Command } from 'commander';
import { basename } from 'node:path';
import type { BenchResult } from '../../bench/result.js';
import { PruneError } from '../../errors.js';
import { benchOptions } from '../../options/bench.js';
import type { Options } from '../../options/option.js';
import { numberFromZero, oneOrMore, wholeNumber } from '../../options/values.js';
import { json, quiet } from '../command-options.js';
import { addFlags, without } from '../flags.js';
import { checkTargets, stdout, writeJson } from '../outputs.js';
import { inSession } from '../session.js';

const group = 'Measurement:';

const commandOptions = {
  batch: {
    schema: oneOrMore(wholeNumber(1)),
    otherwise: '1',
    flag: '--batch <sizes>',
    group,
    help: 'sizes of symbolic leading axes, one or several: 1,8',
  },
  threads: {
    schema: oneOrMore(wholeNumber(1)),
    otherwise: 'one a core',
    flag: '--threads <counts>',
    group,
    help: 'threads inside an op, one or several: 1,2',
  },
  minSpeedup: {
    schema: numberFromZero,
    flag: '--min-speedup <factor>',
    group,
    help: 'fail with exit code 9 where a model is not surely this much faster than the first, e.g. 1.3',
  },
  json: json('every timing'),
  quiet,
} as const satisfies Options;

/** `prune bench A B` */
export function addBenchCommand(program: Command): void {
  const command = program
    .command('bench')
    .description('time models against each other, in turn; the first one is the baseline')
    .argument('<models...>', '.onnx files');
  const readCommand = addFlags(command, commandOptions);
  // The command takes several of each.
  const readOptions = addFlags(command, without(benchOptions, ['batch', 'threads']));
  command.action(async (models: string[]) => {
    const given = readCommand();
    const json = given.json === true ? stdout : given.json;
    await inSession(given.quiet, async ({ common, print }) => {
      await checkTargets(
        [json === undefined ? undefined : { option: '--json', path: json, kind: 'text' }],
        models,
      );
      const [{ bench }, { benchText }] = await Promise.all([
        import('../../index.js'),
        import('../../report/bench.js'),
      ]);
      const names = namesOf(models);
      const contestants = models.map((model, i) => ({ name: names[i]!, model }));
      const results: BenchResult[] = [];
      for (const batch of several(given.batch))
        for (const threads of several(given.threads)) {
          const setting = {
            ...(batch !== undefined && { batch }),
            ...(threads !== undefined && { threads }),
          };
          const result = await bench(contestants, { ...readOptions(), ...setting, ...common });
          results.push(result);
          if (json !== stdout) print(benchText(result));
        }
      if (json !== undefined) await writeJson(json, results.length === 1 ? results[0] : results);
      if (given.minSpeedup !== undefined) checkSpeedup(results, given.minSpeedup);
    });
  });
}

function several(given: number | readonly number[] | undefined): readonly (number | undefined)[] {
  return typeof given === 'object' ? given : [given];
}

/** The lower end of each interval has to be there: a lucky run is no proof. */
function checkSpeedup(results: readonly BenchResult[], least: number): void {
  for (const { comparisons, inputs, threads } of results)
    for (const { name, speedup, interval } of comparisons) {
      if (interval[0] >= least) continue;
      const shapes = Object.values(inputs).map((shape) => `[${shape.join(', ')}]`);
      const setting = [...shapes, ...(threads === undefined ? [] : [`${threads} threads`])].join(', ');
      throw new PruneError(
        'slow',
        `${name} is ${speedup.toFixed(2)}x as fast at ${setting} (at least ${interval[0].toFixed(2)}x), less than ${least}x; prune more, or measure longer on a quiet machine`,
      );
    }
}

/** File names where they tell the models apart, else paths. */
function namesOf(paths: readonly string[]): readonly string[] {
  const names = paths.map((path) => basename(path));
  return new Set(names).size === names.length ? names : paths;
}
