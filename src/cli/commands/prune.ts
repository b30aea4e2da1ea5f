import type { Command } from 'commander';
import { basename } from 'node:path';
import type { Data, PruneSettings } from '../../api.js';
import type { DataOptions } from '../../data/options.js';
import type { DataSource } from '../../data/batch.js';
import { PruneError, throwIfAborted } from '../../errors.js';
import type { ExternalDataMode } from '../../files/external-layout.js';
import type { EvaluateResult } from '../../evaluate/evaluate.js';
import type { Model } from '../../onnx/model.js';
import type { Repair } from '../../reconstruct/repair.js';
import { pruneText } from '../../report/prune.js';
import type { Provider } from '../../runtime/runtime.js';
import { chartLibrary } from '../charts.js';
import { withDataOptions } from '../data.js';
import { dataSource, readJson } from '../file-values.js';
import { addFlags, readConfig, type Flags, type Given } from '../flags.js';
import { dataFlags, measureFlags, pruneFlags } from '../option-flags.js';
import { checkTargets, stdout, writeJson, writeText } from '../outputs.js';
import { checkPlanModel, sha256OfFile } from '../plan.js';
import { inSession, type Session } from '../session.js';
import { choice, isRecord, text, toggle } from '../values.js';

/** What the command has besides the options of the API. */
interface CommandOptions {
  output: string;
  dryRun: boolean;
  planFile: string;
  json: string | true;
  report: string;
  config: string;
  quiet: boolean;
  bench: boolean;
  evalData: Data;
  repair: Repair | 'none';
  provider: Provider;
  threads: number;
  externalData: ExternalDataMode;
}

const files = 'Files:';
const commandFlags = {
  output: { flags: '-o, --output <file>', group: files, help: 'the pruned model', value: text },
  externalData: {
    flags: '--external-data <when>',
    group: files,
    help: 'weights in a file beside it: auto (as the input, or over 2 GiB), never, always (default: auto)',
    value: choice('auto', 'never', 'always'),
  },
  planFile: {
    flags: '--plan <file>',
    group: files,
    help: 'write what was removed, for --from-plan and prune verify',
    value: text,
  },
  json: {
    flags: '--json [file]',
    group: files,
    help: 'write the report as JSON; without a file to stdout, in place of the table',
    value: text,
  },
  report: {
    flags: '--report <file>',
    group: files,
    help: 'write a page to look at: costs, channels, coupling; with labelled data what flipped, and robustness (one .html file, no network)',
    value: text,
  },
  config: {
    flags: '--config <file>',
    group: files,
    help: 'JSON with options under their names in the API; flags win over it',
    value: text,
  },
  bench: {
    flags: '--bench',
    group: 'Measurement:',
    help: 'measure the latency of the dense and the pruned model',
    value: toggle,
  },
  evalData: {
    flags: '--eval-data <path>',
    group: 'Data:',
    help: 'evaluate both models on this instead; --limit and --draw then hold for --data alone',
    value: dataSource,
  },
  repair: {
    flags: '--repair <how>',
    group: 'Data:',
    help: 'what is changed on the data to make up for removed channels: weights (as --reconstruct), statistics (mean and deviation of every output), mean-to-bias, none (default: weights where there is data)',
    value: choice('weights', 'statistics', 'mean-to-bias', 'none'),
  },
  ...measureFlags,
  dryRun: { flags: '--dry-run', help: 'do everything but write the model', value: toggle },
  quiet: { flags: '-q, --quiet', help: 'print nothing but errors', value: toggle },
} as const satisfies Flags<CommandOptions>;

/** The options that say how much goes. */
const targets = ['ratio', 'budget', 'plan'] as const;

/** `prune MODEL`: the root command itself. */
export function addPruneCommand(program: Command): void {
  program.argument('<model>', 'the .onnx file to prune');
  const readOptions = addFlags<PruneSettings>(program, pruneFlags);
  const readCommand = addFlags<CommandOptions>(program, commandFlags);
  const readData = addFlags<DataOptions>(program, dataFlags);
  program.action(async (model: string) => {
    const command = readCommand();
    const options = merge(configOf(command.config), readOptions());
    await inSession(command.quiet === true, (session) =>
      pruneCommand(model, command, options, readData(), session),
    );
  });
}

function configOf(path: string | undefined): Given<PruneSettings> {
  if (path === undefined) return {};
  const content = readJson(path);
  if (!isRecord(content))
    throw new PruneError('invalid-option', `'${path}' holds no object; write {"ratio": 0.5} for example`);
  return readConfig<PruneSettings>(content, pruneFlags, path);
}

/** Flags win; a target among them replaces whatever target the file has. */
function merge(config: Given<PruneSettings>, flags: Given<PruneSettings>): Given<PruneSettings> {
  const { ratio, budget, plan, ...rest } = config;
  const hasTarget = targets.some((target) => flags[target] !== undefined);
  return { ...rest, ...(!hasTarget && { ratio, budget, plan }), ...flags };
}

async function pruneCommand(
  path: string,
  command: Given<CommandOptions>,
  options: Given<PruneSettings>,
  dataOptions: Given<DataOptions>,
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

  const library = command.report === undefined ? undefined : await chartLibrary();
  await checkPlanModel(options.plan, path);
  const api = await import('../../index.js');
  const dense = await api.loadModel(path);
  const open = async (
    data: Data | undefined,
    overrides: Given<DataOptions> = {},
  ): Promise<DataSource | undefined> => {
    const source = withDataOptions(data, {
      ...dataOptions,
      ...overrides,
      ...(options.seed !== undefined && { seed: options.seed }),
    });
    return source === undefined ? undefined : api.openData(source, dense);
  };
  const data = await open(options.data, calibrationDraw(dataOptions));
  const verifyData = await open(options.verifyData);
  const evalData =
    command.evalData === undefined
      ? await open(options.data)
      : await open(command.evalData, { limit: undefined, draw: undefined });
  const reconstruct = reconstructionOf(options, command, data !== undefined);
  const { provider, threads } = command;
  // What is solved for afterwards need not be near its old place: only what the rest can't make up for counts.
  const isSolved =
    typeof reconstruct === 'object' ? (reconstruct.repair ?? 'weights') === 'weights' : reconstruct;
  const criterion = options.criterion ?? (isSolved ? 'obspa' : undefined);
  const result = await api.prune(dense, {
    ...{ ...options, ...common, criterion, data, verifyData, reconstruct },
    ...{ provider, threads },
  });
  throwIfAborted(common.signal);

  const measurement = { ...common, provider, threads };
  const evaluation =
    evalData && (await evaluateBoth(dense, result.model, { ...measurement, data: evalData }));
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
    command.report !== undefined && evalData && evaluation?.dense.accuracy
      ? await api.robustness(dense, result.model, { ...measurement, data: evalData })
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
  if (json !== stdout) print(pruneText({ source: basename(path), ...figures }));
}

function reconstructionOf(
  { reconstruct }: Given<PruneSettings>,
  { repair }: Given<CommandOptions>,
  hasData: boolean,
): PruneSettings['reconstruct'] {
  if (repair === undefined) return reconstruct ?? hasData;
  if (reconstruct !== undefined)
    throw new PruneError(
      'invalid-option',
      '--repair says what --reconstruct and --no-reconstruct do; give one',
    );
  return repair === 'none' ? false : { repair };
}

/** Enough to reconstruct on, and not one class only where a file is sorted by class. */
function calibrationDraw({ limit = 1024, draw = 'shuffle' }: Given<DataOptions>): Given<DataOptions> {
  return { limit, draw };
}

/** Exactly one target and a place for the result, told before anything is loaded. */
function checkTarget(options: Given<PruneSettings>, command: Given<CommandOptions>): void {
  const given = targets
    .filter((name) => options[name] !== undefined)
    .map((name) => pruneFlags[name].flags.split(' ')[0]);
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
