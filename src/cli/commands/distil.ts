import type { Command } from 'commander';
import { PruneError } from '../../errors.js';
import { dataOptions } from '../../options/data.js';
import type { Options } from '../../options/option.js';
import { trainOptions } from '../../options/training.js';
import { text } from '../../options/values.js';
import { trainingText } from '../../report/training.js';
import { json, quiet } from '../command-options.js';
import { withDataOptions } from '../data.js';
import { addFlags } from '../flags.js';
import { readJson } from '../json-file.js';
import { checkTargets, stdout, writeJson } from '../outputs.js';
import { inSession } from '../session.js';

const commandOptions = {
  output: { schema: text, flag: '-o, --output <file>', help: 'the trained model' },
  newPlan: {
    schema: text,
    flag: '--new-plan <file>',
    help: 'write the plan anew, saying that the weights were trained, for prune verify',
  },
  json: json('the report'),
  quiet,
} as const satisfies Options;

/** `prune distil DENSE PRUNED --data PATH -o FILE` */
export function addDistilCommand(program: Command): void {
  const command = program
    .command('distil')
    .description('train a pruned model towards its dense original: two files and data are all it takes')
    .argument('<dense>', 'the original .onnx file')
    .argument('<pruned>', 'the pruned .onnx file');
  const readOptions = addFlags(command, trainOptions, { plan: readJson });
  const readData = addFlags(command, dataOptions);
  const readCommand = addFlags(command, commandOptions);
  command.action(async (dense: string, pruned: string) => {
    const { quiet, output, newPlan, ...given } = readCommand();
    const json = given.json === true ? stdout : given.json;
    await inSession(quiet, async ({ common, print }) => {
      const { plan, data, ...options } = readOptions();
      if (output === undefined) throw new PruneError('invalid-option', 'no output; give -o FILE');
      const source = withDataOptions(data, readData());
      if (source === undefined) throw new PruneError('invalid-option', 'no data; give --data PATH');
      if (newPlan !== undefined && plan === undefined)
        throw new PruneError('invalid-option', '--new-plan is made from a plan; give --plan too');
      const targets = [
        { option: '--output', path: output, kind: 'model' as const },
        newPlan === undefined ? undefined : { option: '--new-plan', path: newPlan, kind: 'text' as const },
        json === undefined ? undefined : { option: '--json', path: json, kind: 'text' as const },
      ];
      await checkTargets(targets, [dense, pruned]);
      if (plan !== undefined) await (await import('../plan.js')).checkPlanModel(plan, dense);
      const { train, saveModel, TrainingDiverged } = await import('../../index.js');
      const [{ model, report }, failure] = await train(dense, pruned, {
        ...options,
        ...common,
        plan,
        data: source,
      }).then(
        (trained) => [trained, undefined] as const,
        (error: unknown) => {
          if (error instanceof TrainingDiverged) return [error.trained, error] as const;
          throw error;
        },
      );
      await saveModel(model, output, { signal: common.signal });
      if (newPlan !== undefined)
        await writeJson(newPlan, { ...(plan as object), weightsChanged: true, weightsTrained: true });
      if (json !== undefined) await writeJson(json, { dense, pruned, ...report });
      if (json !== stdout) print(trainingText(report, output));
      if (failure) throw new PruneError('diverged', `${failure.message}; the last good state was written`);
    });
  });
}
