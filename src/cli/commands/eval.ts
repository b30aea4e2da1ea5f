import type { Command } from 'commander';
import type { EvaluateSettings } from '../../api.js';
import type { DataOptions } from '../../data/options.js';
import { PruneError } from '../../errors.js';
import { evaluationText } from '../../report/evaluate.js';
import { withDataOptions } from '../data.js';
import { addFlags, type Flags } from '../flags.js';
import { dataFlags, evaluateFlags, pruneFlags } from '../option-flags.js';
import { checkTargets, stdout, writeJson } from '../outputs.js';
import { inSession } from '../session.js';
import { text, toggle } from '../values.js';

interface CommandOptions {
  json: string | true;
  quiet: boolean;
  /** Of drawing and of random data. */
  seed: number;
  /** Of symbolic dims for random data. */
  shapes: Readonly<Record<string, readonly number[]>>;
}

const commandFlags = {
  json: {
    flags: '--json [file]',
    help: 'write the figures as JSON; without a file to stdout, in place of the table',
    value: text,
  },
  quiet: { flags: '-q, --quiet', help: 'print nothing but errors', value: toggle },
  seed: pruneFlags.seed,
  shapes: { ...pruneFlags.shapes, group: 'Data:', help: 'random data: shape of an input (repeatable)' },
} as const satisfies Flags<CommandOptions>;

/** `prune eval MODEL --data PATH` */
export function addEvalCommand(program: Command): void {
  const command = program
    .command('eval')
    .description('top-1 on labelled data, and how far outputs are from those of another model')
    .argument('<model>', 'an .onnx file');
  const readOptions = addFlags<EvaluateSettings>(command, evaluateFlags);
  const readData = addFlags<DataOptions>(command, dataFlags);
  const readCommand = addFlags<CommandOptions>(command, commandFlags);
  command.action(async (model: string) => {
    const { quiet = false, seed, shapes, ...given } = readCommand();
    const json = given.json === true ? stdout : given.json;
    await inSession(quiet, async ({ common, print }) => {
      const options = readOptions();
      const data = withDataOptions(options.data, {
        ...readData(),
        ...(seed !== undefined && { seed }),
        ...(shapes !== undefined && { shapes }),
      });
      if (data === undefined)
        throw new PruneError('invalid-option', 'no data; give --data PATH or --data random');
      const target = json === undefined ? undefined : { option: '--json', path: json, kind: 'text' as const };
      await checkTargets([target], [model]);
      const { evaluate } = await import('../../index.js');
      const result = await evaluate(model, { ...options, ...common, data });
      if (json !== undefined) await writeJson(json, { model, ...result });
      if (json !== stdout) print(evaluationText(result));
    });
  });
}
