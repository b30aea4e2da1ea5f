import type { Command } from 'commander';
import { availableParallelism } from 'node:os';
import { basename, resolve } from 'node:path';
import type { Data, PruneSettings } from '../../api.js';
import type { DataOptions } from '../../data/options.js';
import { PruneError } from '../../errors.js';
import { sweepText } from '../../report/sweep.js';
import type { Provider } from '../../runtime/runtime.js';
import { cellsOf, type Cell, type SweepResult } from '../../sweep/cells.js';
import { chartLibrary } from '../charts.js';
import { withDataOptions } from '../data.js';
import { dataSource } from '../file-values.js';
import { addFlags, apiOnly, type Flags, type Given } from '../flags.js';
import { dataFlags, measureFlags, pruneFlags } from '../option-flags.js';
import { checkTargets, stdout, writeJson, writeText } from '../outputs.js';
import { sha256OfFile } from '../plan.js';
import { inSession, type Session } from '../session.js';
import { SweepFolder } from '../sweep/folder.js';
import type { SweepSetting } from '../sweep/job.js';
import { denseAccuracy, runCells } from '../sweep/pool.js';
import { commaSeparated, integer, number, text, toggle } from '../values.js';

interface CommandOptions {
  folder: string;
  ratios: readonly number[];
  budgets: readonly string[];
  criteria: readonly string[];
  reconstruct: readonly string[];
  workers: number;
  bench: boolean;
  evalData: Data;
  json: string | true;
  report: string;
  quiet: boolean;
  provider: Provider;
  threads: number;
}

const cells = 'Cells (every combination is tried):';
const commandFlags = {
  ratios: {
    flags: '--ratios <shares>',
    group: cells,
    help: 'shares of channels to remove: 0.2,0.4,0.6',
    value: commaSeparated(number({ min: 0, below: 1 })),
  },
  budgets: {
    flags: '--budgets <limits>',
    group: cells,
    help: 'costs to stay below: macs=70%,macs=50%,latency=60%',
    value: commaSeparated(text),
  },
  criteria: {
    flags: '--criteria <names>',
    group: cells,
    help: 'criteria: magnitude,taylor (default: magnitude)',
    value: commaSeparated(text),
  },
  reconstruct: {
    flags: '--reconstruct <choices>',
    group: cells,
    help: 'with and without reconstruction on --data: yes, no or yes,no (default: no)',
    value: commaSeparated(text),
  },
  folder: {
    flags: '-o, --output <folder>',
    group: 'Files:',
    help: 'where each finished cell is kept; an interrupted sweep goes on from it',
    value: text,
  },
  json: { flags: '--json [file]', group: 'Files:', help: 'write all results as JSON', value: text },
  report: { flags: '--report <file>', group: 'Files:', help: 'write a page with Pareto plots', value: text },
  workers: {
    flags: '--workers <count>',
    help: 'processes (default: one for two cores; one with --bench)',
    value: integer(1),
  },
  bench: { flags: '--bench', group: 'Measurement:', help: 'measure latencies too', value: toggle },
  evalData: {
    flags: '--eval-data <path>',
    group: 'Data:',
    help: 'judge the pruned models on this (default: --data, else random)',
    value: dataSource,
  },
  ...measureFlags,
  quiet: { flags: '-q, --quiet', help: 'print nothing but errors', value: toggle },
} as const satisfies Flags<CommandOptions>;

/** What a sweep tries several of, or has no use for. */
const commonFlags: Flags<PruneSettings> = {
  ...pruneFlags,
  ratio: apiOnly,
  budget: apiOnly,
  plan: apiOnly,
  ratios: apiOnly,
  criterion: apiOnly,
  reconstruct: apiOnly,
};

/** `prune sweep MODEL` */
export function addSweepCommand(program: Command): void {
  const command = program
    .command('sweep')
    .description('prune a model in many ways, and show which are worth it; can be stopped and goes on')
    .argument('<model>', 'the .onnx file to prune');
  const readCommand = addFlags<CommandOptions>(command, commandFlags);
  const readOptions = addFlags<PruneSettings>(command, commonFlags);
  const readData = addFlags<DataOptions>(command, dataFlags);
  command.action(async (model: string) => {
    const given = readCommand();
    await inSession(given.quiet === true, (session) =>
      sweepCommand(model, given, readOptions(), readData(), session),
    );
  });
}

async function sweepCommand(
  path: string,
  given: Given<CommandOptions>,
  options: Given<PruneSettings>,
  dataOptions: Given<DataOptions>,
  { common, print }: Session,
): Promise<void> {
  const { folder, report, bench = false, provider, threads } = given;
  const json = given.json === true ? stdout : given.json;
  if (folder === undefined)
    throw new PruneError('invalid-option', 'no output; give -o FOLDER, where finished cells are kept');
  const wanted = cellsOf(targetsOf(given), given.criteria ?? ['magnitude'], reconstructOf(given.reconstruct));
  await checkTargets(
    [
      json === undefined ? undefined : { option: '--json', path: json, kind: 'text' },
      report === undefined ? undefined : { option: '--report', path: report, kind: 'text' },
    ],
    [path],
  );
  const library = report === undefined ? undefined : await chartLibrary();
  const data = withDataOptions(options.data, dataOptions);
  const setting: SweepSetting = {
    model: resolve(path),
    options: { ...options, ...(data !== undefined && { data }) },
    evalData: withDataOptions(given.evalData, dataOptions) ?? data ?? { path: 'random', limit: 64 },
    ...{ bench, provider, threads },
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
  if (json !== stdout) print(sweepText(sweep));
}

function targetsOf({ ratios = [], budgets = [] }: Given<CommandOptions>): Cell['target'][] {
  const targets: Cell['target'][] = [
    ...ratios.map((ratio) => ({ ratio })),
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

function reconstructOf(choices: readonly string[] = ['no']): boolean[] {
  return choices.map((choice) => {
    if (choice === 'yes' || choice === 'no') return choice === 'yes';
    throw new PruneError('invalid-option', `invalid --reconstruct: '${choice}'; use yes, no or yes,no`);
  });
}
