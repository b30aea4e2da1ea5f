import type { Command } from 'commander';
import { PruneError } from '../../errors.js';
import { dataOptions } from '../../options/data.js';
import type { Options } from '../../options/option.js';
import { verifyOptions } from '../../options/verify.js';
import { withDataOptions } from '../data.js';
import { json, quiet } from '../command-options.js';
import { addFlags } from '../flags.js';
import { readJson } from '../json-file.js';
import { checkTargets, stdout, writeJson } from '../outputs.js';
import { inSession } from '../session.js';

const commandOptions = { json: json('the proof'), quiet } as const satisfies Options;

/** `prune verify DENSE PRUNED --plan FILE` */
export function addVerifyCommand(program: Command): void {
  const command = program
    .command('verify')
    .description('prove again that a pruned model is its dense original with channels removed')
    .argument('<dense>', 'the original .onnx file')
    .argument('<pruned>', 'the pruned .onnx file');
  const readOptions = addFlags(command, verifyOptions, { plan: readJson });
  const readData = addFlags(command, dataOptions);
  const readCommand = addFlags(command, commandOptions);
  command.action(async (dense: string, pruned: string) => {
    const { quiet, ...given } = readCommand();
    const json = given.json === true ? stdout : given.json;
    await inSession(quiet, async ({ common, print }) => {
      const { plan, data, ...options } = readOptions();
      if (plan === undefined)
        throw new PruneError('invalid-option', 'no plan; give --plan FILE, as written by prune --plan');
      const target = json === undefined ? undefined : { option: '--json', path: json, kind: 'text' as const };
      await checkTargets([target], [dense, pruned]);
      const { checkPlanModel } = await import('../plan.js');
      await checkPlanModel(plan, dense);
      const { verify } = await import('../../index.js');
      const source = withDataOptions(data, readData());
      const proof = await verify(dense, pruned, {
        ...options,
        ...common,
        plan,
        ...(source && { data: source }),
      });
      if (json !== undefined) await writeJson(json, { dense, pruned, ...proof });
      const { verificationText } = await import('../../report/verify.js');
      if (json !== stdout) print(verificationText(proof));
      if (!proof.passed) {
        const { kind, message } = proof.failure!;
        throw new PruneError(
          'verification',
          kind === 'dense' || kind === 'nothing'
            ? message
            : `'${pruned}' is not '${dense}' with the channels of the plan removed: ${message}; prune it again`,
        );
      }
    });
  });
}
