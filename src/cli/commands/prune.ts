import type { Command } from 'commander';
import { basename } from 'node:path';
import type { DataSource } from '../../data/batch.js';
import { PruneError, throwIfAborted } from '../../errors.js';
import type { EvaluateResult } from '../../evaluate/evaluate.js';
import { externalDataModes } from '../../files/external-layout.js';
import type { Model } from '../../onnx/model.js';
import { dataOptions, type Data } from '../../options/data.js';
import type { Options, OptionsOf } from '../../options/option.js';
import { pruneOptions, type PruneOptions } from '../../options/prune.js';
import { repairOrNone } from '../../options/repair.js';
import { choice, text, toggle } from '../../options/values.js';
import type { Provider } from '../../runtime/runtime.js';
import { evalData, json, quiet } from '../command-options.js';
import { readConfig } from '../config.js';
import { withDataOptions } from '../data.js';
import { distilOf, trainingFlags } from '../training.js';
import { addFlags } from '../flags.js';
import { readJson } from '../json-file.js';
import { checkTargets, stdout, writeJson, writeText } from '../outputs.js';
import { inSession, type Session } from '../session.js';

const group = 'Files:';

/** What the command has besides the options of the library. */
const commandOptions = {
  output: { schema: text, flag: '-o, --output <file>', group, help: 'the pruned model' },
  externalData: {
    schema: choice(externalDataModes),
    default: 'auto',
    flag: '--external-data <when>',
    group,
    help: 'weights in a file beside it: auto (as the input, or over 2 GiB), never, always',
  },
  planFile: {
    schema: text,
    flag: '--plan <file>',
    group,
    help: 'write what was removed, for --from-plan and prune verify',
  },
  json: json('the report', group),
  report: {
    schema: text,
    flag: '--report <file>',
    group,
    help: 'write a page to look at: costs, channels, coupling; with labelled data what flipped, and robustness (one .html file, no network)',
  },
  config: {
    schema: text,
    flag: '--config <file>',
    group,
    help: 'JSON with options under their names in the library; flags win over it',
  },
  bench: {
    schema: toggle,
    flag: '--bench',
    group: 'Measurement:',
    help: 'measure the latency of the dense and the pruned model',
  },
  evalData: {
    ...evalData,
    help: 'evaluate both models on this instead; --limit and --draw then hold for --data alone',
  },
  repair: {
    schema: repairOrNone,
    otherwise: 'weights where there is data',
    flag: '--repair <how>',
    group: 'Data:',
    help: 'what is changed on the data to make up for removed channels: weights (as --reconstruct), statistics (mean and deviation of every output), mean-to-bias, none',
  },
  dryRun: { schema: toggle, flag: '--dry-run', help: 'do everything but write the model' },
  quiet,
} as const satisfies Options;

type CommandOptions = OptionsOf<typeof commandOptions>;

/** The options that say how much goes. */
const targets = ['ratio', 'budget', 'plan'] as const;

/** `prune MODEL`: the root command itself. */
export function addPruneCommand(program: Command): void {
  program.argument('<model>', 'the .onnx file to prune');
  const readOptions = addFlags(program, pruneOptions, { plan: readJson });
  const readCommand = addFlags(program, commandOptions);
  const readTraining = addFlags(program, trainingFlags);
  const readData = addFlags(program, dataOptions);
  program.action(async (model: string) => {
    const command = readCommand();
    const given = merge(readConfig(command.config), readOptions());
    const reading = readData();
    const options = { ...given, distil: distilOf(given, readTraining(), reading) };
    await inSession(command.quiet, (session) => pruneCommand(model, command, options, reading, session));
  });
}

/** Flags win; a target among them replaces whatever target the file has. */
function merge(config: PruneOptions, flags: PruneOptions): PruneOptions {
  const { ratio, budget, plan, ...rest } = config;
  const hasTarget = targets.some((target) => flags[target] !== undefined);
  return { ...rest, ...(!hasTarget && { ratio, budget, plan }), ...flags };
}

async function pruneCommand(
  path: string,
  command: CommandOptions,
  options: PruneOptions,
  reading: OptionsOf<typeof dataOptions>,
  { common, print }: Session,
): Promise<void> {
  const start = performance.now();
  const { output, planFile } = command;
  const json = command.json === true ? stdout : command.json;
  checkTarget(options, command);
  await checkTargets(
    [
      output === undefined ? undefined : { option: '--output', path: output, kind: 'model' },
      planFile === undefined ? undefined : { option: '--plan', path: planFile, kind: 'text' },
      json === undefined ? undefined : { option: '--json', path: json, kind: 'text' },
      command.report === undefined ? undefined : { option: '--report', path: command.report, kind: 'text' },
    ],
    [path],
  );

  const library =
    command.report === undefined ? undefined : await (await import('../charts.js')).chartLibrary();
  const { checkPlanModel, sha256OfFile } = await import('../plan.js');
  await checkPlanModel(options.plan, path);
  const api = await import('../../index.js');
  const dense = await api.loadModel(path);
  const read = (data: Data | undefined, own: OptionsOf<typeof dataOptions> = reading): Data | undefined =>
    withDataOptions(data, { seed: options.seed, ...own });
  const judged =
    command.evalData === undefined
      ? read(options.data)
      : read(command.evalData, { ...reading, limit: undefined, draw: undefined });
  const result = await api.prune(dense, {
    ...{ ...options, ...common },
    data: read(options.data),
    verifyData: read(options.verifyData),
    reconstruct: reconstructionOf(options, command),
  });
  throwIfAborted(common.signal);

  const { provider, threads } = options;
  const measurement = { ...common, provider, threads };
  const data = judged === undefined ? undefined : await api.openData(judged, dense);
  const evaluation =
    data === undefined ? undefined : await evaluateBoth(dense, result.model, { ...measurement, data });
  const bench = command.bench
    ? await api.bench(
        [
          { name: 'dense', model: dense },
          { name: 'pruned', model: result.model },
        ],
        {
          ...measurement,
          ...(options.shapes && { shapes: options.shapes }),
        },
      )
    : undefined;

  const robustness =
    command.report !== undefined && data && evaluation?.dense.accuracy
      ? await api.robustness(dense, result.model, { ...measurement, data })
      : undefined;

  // Whatever fails or is stopped before has written nothing.
  throwIfAborted(common.signal);
  const saved =
    command.dryRun || output === undefined
      ? undefined
      : await api.saveModel(result.model, output, {
          externalData: command.externalData,
          signal: common.signal,
        });
  if (planFile !== undefined) await writeJson(planFile, result.planFile(await sha256OfFile(path)));
  const { report } = result;
  const milliseconds = performance.now() - start;
  const written =
    saved && output !== undefined
      ? { path: output, bytes: saved.bytes + (saved.data?.bytes ?? 0) }
      : undefined;
  const figures = { written, report, evaluation, robustness, bench, milliseconds };
  if (command.report !== undefined && library !== undefined) {
    const { pruneHtml } = await import('../../report/html/prune.js');
    await writeText(
      command.report,
      pruneHtml({ source: basename(path), ...figures }, api.inspect(result.analysis).groups, library),
    );
  }
  if (json !== undefined) await writeJson(json, { model: path, ...figures });
  const { pruneText } = await import('../../report/prune.js');
  if (json !== stdout) print(pruneText({ source: basename(path), ...figures }));
  if (report.training?.ended === 'diverged')
    throw new PruneError('diverged', `${report.training.message}; the last good state was written`);
}

function reconstructionOf(
  { reconstruct }: PruneOptions,
  { repair }: CommandOptions,
): PruneOptions['reconstruct'] {
  if (repair === undefined) return reconstruct;
  if (reconstruct !== undefined)
    throw new PruneError(
      'invalid-option',
      '--repair says what --reconstruct and --no-reconstruct do; give one',
    );
  return repair === 'none' ? false : { repair };
}

/** Exactly one target and a place for the result, told before anything is loaded. */
function checkTarget(options: PruneOptions, command: CommandOptions): void {
  const given = targets
    .filter((name) => options[name] !== undefined)
    .map((name) => pruneOptions[name].flag.split(' ')[0]);
  if (given.length === 0 && options.depth === undefined)
    throw new PruneError('invalid-option', 'no target; give --ratio, --budget, --depth or --from-plan');
  if (given.length > 1)
    throw new PruneError('invalid-option', `${given.join(' and ')} exclude each other; give one`);
  if (command.output === undefined && !command.dryRun)
    throw new PruneError('invalid-option', 'no output; give -o FILE, or --dry-run to write nothing');
}

async function evaluateBoth(
  dense: Model,
  pruned: Model,
  options: Session['common'] & {
    data: DataSource;
    provider: Provider | undefined;
    threads: number | undefined;
  },
): Promise<{ dense: EvaluateResult; pruned: EvaluateResult }> {
  const { evaluate } = await import('../../index.js');
  return {
    dense: await evaluate(dense, options),
    pruned: await evaluate(pruned, { ...options, reference: dense }),
  };
}
