import type { Command } from 'commander';
import { basename } from 'node:path';
import type { BenchSettings } from '../../api.js';
import { benchText } from '../../report/bench.js';
import { addFlags, type Flags } from '../flags.js';
import { benchFlags } from '../option-flags.js';
import { checkTargets, stdout, writeJson } from '../outputs.js';
import { inSession } from '../session.js';
import { text, toggle } from '../values.js';

interface CommandOptions {
  json: string | true;
  quiet: boolean;
}

const commandFlags = {
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
      const result = await bench(contestants, { ...readOptions(), ...common });
      if (json !== undefined) await writeJson(json, result);
      if (json !== stdout) print(benchText(result));
    });
  });
}

/** File names where they tell the models apart, else paths. */
function namesOf(paths: readonly string[]): readonly string[] {
  const names = paths.map((path) => basename(path));
  return new Set(names).size === names.length ? names : paths;
}
