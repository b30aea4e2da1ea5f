import type { Command } from 'commander';
import { basename } from 'node:path';
import type { BenchSettings } from '../../api.js';
import type { BenchResult } from '../../bench/result.js';
import { PruneError } from '../../errors.js';
import { benchText } from '../../report/bench.js';
import { addFlags, type Flags } from '../flags.js';
import { benchFlags } from '../option-flags.js';
import { checkTargets, stdout, writeJson } from '../outputs.js';
import { inSession } from '../session.js';
import { commaSeparated, integer, number, text, toggle } from '../values.js';

interface CommandOptions {
  batch: readonly number[];
  threads: readonly number[];
  minSpeedup: number;
  json: string | true;
  quiet: boolean;
}

const commandFlags = {
  batch: {
    flags: '--batch <sizes>',
    group: 'Measurement:',
    help: 'sizes of symbolic leading axes, one or several: 1,8 (default: 1)',
    value: commaSeparated(integer(1)),
  },
  threads: {
    flags: '--threads <counts>',
    group: 'Measurement:',
    help: 'threads inside an op, one or several: 1,2 (default: one a core)',
    value: commaSeparated(integer(1)),
  },
  minSpeedup: {
    flags: '--min-speedup <factor>',
    group: 'Measurement:',
    help: 'fail with exit code 9 where a model is not surely this much faster than the first, e.g. 1.3',
    value: number({ min: 0 }),
  },
  json: {
    flags: '--json [file]',
    help: 'write every timing as JSON; without a file to stdout, in place of the table',
    value: text,
  },
  quiet: { flags: '-q, --quiet', help: 'print nothing but errors', value: toggle },
} as const satisfies Flags<CommandOptions>;

/** `prune bench A B` */
export function addBenchCommand(program: Command): void {
  const command = program
    .command('bench')
    .description('time models against each other, in turn; the first one is the baseline')
    .argument('<models...>', '.onnx files');
  const readCommand = addFlags<CommandOptions>(command, commandFlags);
  const readOptions = addFlags<BenchSettings>(command, benchFlags);
  command.action(async (models: string[]) => {
    const { quiet = false, ...given } = readCommand();
    const json = given.json === true ? stdout : given.json;
    await inSession(quiet, async ({ common, print }) => {
      await checkTargets(
        [json === undefined ? undefined : { option: '--json', path: json, kind: 'text' }],
        models,
      );
      const { bench } = await import('../../index.js');
      const names = namesOf(models);
      const contestants = models.map((model, i) => ({ name: names[i]!, model }));
      const results: BenchResult[] = [];
      for (const batch of given.batch ?? [undefined])
        for (const threads of given.threads ?? [undefined]) {
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
