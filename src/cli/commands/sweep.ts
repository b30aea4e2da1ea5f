import type { Command } from 'commander';
import { availableParallelism } from 'node:os';
import { basename, resolve } from 'node:path';
import type { CriterionName } from '../../criteria/names.js';
import { PruneError } from '../../errors.js';
import { dataOptions, type Data } from '../../options/data.js';
import type { Options, OptionsOf } from '../../options/option.js';
import { pruneOptions, type PruneOptions } from '../../options/prune.js';
import { criterionName } from '../../options/scoring.js';
import { choice, list, ratio, text, toggle, wholeNumber } from '../../options/values.js';
import { cellsOf, type Cell, type SweepResult } from '../../sweep/cells.js';
import { evalData, json, quiet } from '../command-options.js';
import { withDataOptions } from '../data.js';
import { addFlags, without } from '../flags.js';
import { readValue } from '../read-text.js';
import { checkTargets, stdout, writeJson, writeText } from '../outputs.js';
import { inSession, type Session } from '../session.js';
import { optionsOf, type SweepSetting } from '../sweep/job.js';

const cells = 'Cells (every combination is tried):';
const files = 'Files:';
const commandOptions = {
  ratios: {
    schema: list(ratio),
    flag: '--ratios <shares>',
    group: cells,
    help: 'shares of channels to remove: 0.2,0.4,0.6',
    fromText: (given) => given.split(',').map((part) => readValue(ratio, part)),
  },
  budgets: {
    schema: list(text),
    flag: '--budgets <limits>',
    group: cells,
    help: 'costs to stay below: macs=70%,macs=50%,latency=60%',
    fromText: words,
  },
  criteria: {
    schema: list(criterionName),
    otherwise: pruneOptions.criterion.otherwise,
    flag: '--criteria <names>',
    group: cells,
    help: 'criteria: magnitude,taylor',
    fromText: words,
  },
  reconstruct: {
    schema: list(choice(['yes', 'no'])),
    otherwise: 'yes where there is data',
    flag: '--reconstruct <choices>',
    group: cells,
    help: 'with and without reconstruction on --data: yes, no or yes,no',
    fromText: words,
  },
  folder: {
    schema: text,
    flag: '-o, --output <folder>',
    group: files,
    help: 'where each finished cell is kept; an interrupted sweep goes on from it',
  },
  models: {
    schema: toggle,
    flag: '--models',
    group: files,
    help: 'also keep the pruned model of each cell in the folder',
  },
  json: json('all results', files),
  report: { schema: text, flag: '--report <file>', group: files, help: 'write a page with Pareto plots' },
  workers: {
    schema: wholeNumber(1),
    otherwise: 'one for two cores; one with --bench',
    flag: '--workers <count>',
    help: 'processes',
  },
  bench: { schema: toggle, flag: '--bench', group: 'Measurement:', help: 'measure latencies too' },
  evalData: { ...evalData, otherwise: '--data, else random', help: 'judge the pruned models on this' },
  quiet,
} as const satisfies Options;

type CommandOptions = OptionsOf<typeof commandOptions>;

/** What a sweep tries several of, or has no use for. */
const varied = ['ratio', 'budget', 'plan', 'ratios', 'criterion', 'reconstruct'] as const;

/** `prune sweep MODEL` */
export function addSweepCommand(program: Command): void {
  const command = program
    .command('sweep')
    .description('prune a model in many ways, and show which are worth it; can be stopped and goes on')
    .argument('<model>', 'the .onnx file to prune');
  const readCommand = addFlags(command, commandOptions);
  const readOptions = addFlags(command, without(pruneOptions, varied));
  const readData = addFlags(command, dataOptions);
  command.action(async (model: string) => {
    const given = readCommand();
    await inSession(given.quiet, (session) => sweepCommand(model, given, readOptions(), readData(), session));
  });
}

async function sweepCommand(
  path: string,
  given: CommandOptions,
  options: PruneOptions,
  reading: OptionsOf<typeof dataOptions>,
  { common, print }: Session,
): Promise<void> {
  const { folder, report, bench = false, models } = given;
  const { provider, seed } = options;
  const json = given.json === true ? stdout : given.json;
  if (folder === undefined)
    throw new PruneError('invalid-option', 'no output; give -o FOLDER, where finished cells are kept');
  const read = (data: Data | undefined): Data | undefined => withDataOptions(data, { seed, ...reading });
  const data = read(options.data);
  const wanted = await cellsFor(given, { ...options, data });
  await checkTargets(
    [
      json === undefined ? undefined : { option: '--json', path: json, kind: 'text' },
      report === undefined ? undefined : { option: '--report', path: report, kind: 'text' },
    ],
    [path],
  );
  const [{ SweepFolder }, { denseAccuracy, runCells }, { sha256OfFile }] = await Promise.all([
    import('../sweep/folder.js'),
    import('../sweep/pool.js'),
    import('../plan.js'),
  ]);
  const library = report === undefined ? undefined : await (await import('../charts.js')).chartLibrary();
  const setting: SweepSetting = {
    model: resolve(path),
    options: { ...options, ...(data !== undefined && { data }) },
    evalData: read(given.evalData) ?? data ?? { path: 'random', limit: 64 },
    bench,
    ...(models && { models: resolve(folder) }),
  };
  const { model: _, ...rest } = setting;
  const stored = await SweepFolder.open(folder, { version: 1, sha256: await sha256OfFile(path), ...rest });

  // A provider that isn't there would fail every cell, and failures are kept.
  if (provider !== undefined) {
    const { requireProvider } = await import('../../index.js');
    await requireProvider(provider);
  }
  const results = new Map<Cell, SweepResult['cells'][number]>();
  for (const cell of wanted) {
    const result = await stored.read(cell);
    if (result) results.set(cell, result);
  }
  const missing = wanted.filter((cell) => !results.has(cell));
  const workers = given.workers ?? (bench ? 1 : Math.max(1, availableParallelism() >> 1));
  const show = (): void =>
    common.onProgress({ phase: 'sweep', done: results.size, total: wanted.length, detail: 'cells' });
  show();
  const byName = new Map(missing.map((cell) => [JSON.stringify(cell), cell]));
  await runCells(setting, missing, workers, common.signal, async (result) => {
    await stored.write(result);
    results.set(byName.get(JSON.stringify(result.cell))!, result);
    show();
  });
  const sweep: SweepResult = {
    model: basename(path),
    denseAccuracy: await denseAccuracy(setting, common.signal),
    cells: wanted.map((cell) => results.get(cell)!),
  };
  if (report !== undefined && library !== undefined) {
    const { sweepHtml } = await import('../../report/html/sweep.js');
    await writeText(report, sweepHtml(sweep, library));
  }
  if (json !== undefined) await writeJson(json, sweep);
  const { sweepText } = await import('../../report/sweep.js');
  if (json !== stdout) print(sweepText(sweep));
}

/**
 * Every combination that was asked for, with what the options make of it, so that a mistake is told before the work.
 * @throws PruneError `invalid-option`
 */
async function cellsFor(given: CommandOptions, options: PruneOptions): Promise<Cell[]> {
  const { resolveOptions } = await import('../../options/resolve.js');
  const targets = targetsOf(given);
  const choices = given.reconstruct?.map((own) => own === 'yes') ?? [options.data !== undefined];
  return cellsOf(targets, given.criteria ?? [undefined], choices).map((cell) => {
    const { criterion } = resolveOptions({ ...options, ...optionsOf(cell) });
    return { ...cell, criterion: cell.criterion ?? (criterion as CriterionName) };
  });
}

function targetsOf({ ratios = [], budgets = [] }: CommandOptions): Cell['target'][] {
  const targets: Cell['target'][] = [
    ...ratios.map((share) => ({ ratio: share })),
    ...budgets.map((budget) => {
      const [measure, limit] = budget.split('=');
      if (!measure || !limit)
        throw new PruneError('invalid-option', `invalid --budgets: '${budget}'; write macs=50% for example`);
      return { budget: { [measure]: limit } };
    }),
  ];
  if (targets.length === 0)
    throw new PruneError(
      'invalid-option',
      'nothing to try; give --ratios or --budgets, e.g. --ratios 0.2,0.4',
    );
  return targets;
}

function words(given: string): readonly string[] {
  return given.split(',');
}
