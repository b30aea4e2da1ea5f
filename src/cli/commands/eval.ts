import type { Command } from 'commander';
import { PruneError } from '../../errors.js';
import { modelOptions } from '../../options/analyze.js';
import { dataOptions } from '../../options/data.js';
import { evaluateOptions } from '../../options/evaluate.js';
import { seed } from '../../options/measurement.js';
import type { Options } from '../../options/option.js';
import { withDataOptions } from '../data.js';
import { json, quiet } from '../command-options.js';
import { addFlags } from '../flags.js';
import { checkTargets, stdout, writeJson } from '../outputs.js';
import { inSession } from '../session.js';

const commandOptions = {
  json: json('the figures'),
  quiet,
  seed,
  shapes: { ...modelOptions.shapes, group: 'Data:', help: 'random data: shape of an input (repeatable)' },
} as const satisfies Options;

/** `prune eval MODEL --data PATH` */
export function addEvalCommand(program: Command): void {
  const command = program
    .command('eval')
    .description('top-1 on labelled data, and how far outputs are from those of another model')
    .argument('<model>', 'an .onnx file');
  const readOptions = addFlags(command, evaluateOptions);
  const readData = addFlags(command, dataOptions);
  const readCommand = addFlags(command, commandOptions);
  command.action(async (model: string) => {
    const { quiet, seed, shapes, ...given } = readCommand();
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
      if (json === stdout) return;
      const { evaluationText } = await import('../../report/evaluate.js');
      print(evaluationText(result));
    });
  });
}
