import type { Command } from 'commander';
import { basename, extname } from 'node:path';
import { analyzeOptions, type AnalyzeOptions } from '../../options/analyze.js';
import type { Options, OptionsOf } from '../../options/option.js';
import { choice, text } from '../../options/values.js';
import { json, quiet } from '../command-options.js';
import { addFlags } from '../flags.js';
import { checkTargets, stdout, writeJson, writeText } from '../outputs.js';
import { inSession, type Session } from '../session.js';

const commandOptions = {
  json: json('groups, coverage and blockers'),
  dot: {
    schema: text,
    flag: '--dot <file>',
    help: "write the graph in Graphviz's language, or as graphlib's JSON if the file ends in .json",
  },
  graph: {
    schema: choice(['coupling', 'computational']),
    default: 'coupling',
    flag: '--graph <which>',
    help: 'for --dot: coupling (groups and tensors) or computational',
  },
  quiet,
} as const satisfies Options;

/** `prune inspect MODEL` */
export function addInspectCommand(program: Command): void {
  const command = program
    .command('inspect')
    .description('show what can be pruned, and what holds the rest back')
    .argument('<model>', 'an .onnx file');
  const readCommand = addFlags(command, commandOptions);
  const readOptions = addFlags(command, analyzeOptions);
  command.action(async (model: string) => {
    const given = readCommand();
    await inSession(given.quiet, (session) => inspectCommand(model, given, readOptions(), session));
  });
}

async function inspectCommand(
  path: string,
  { dot, graph, ...command }: OptionsOf<typeof commandOptions>,
  options: AnalyzeOptions,
  { common, print }: Session,
): Promise<void> {
  const json = command.json === true ? stdout : command.json;
  await checkTargets(
    [
      json === undefined ? undefined : { option: '--json', path: json, kind: 'text' },
      dot === undefined ? undefined : { option: '--dot', path: dot, kind: 'text' },
    ],
    [path],
  );
  const api = await import('../../index.js');
  const analysis = await api.analyze(path, { ...options, ...common });
  if (dot !== undefined) {
    const drawn =
      graph === 'computational'
        ? api.computationalGraph(analysis.model)
        : api.couplingGraph(analysis.grouping);
    if (extname(dot) === '.json') await writeJson(dot, api.toJson(drawn));
    else await writeText(dot, api.toDot(drawn));
  }
  const inspection = api.inspect(analysis);
  if (json !== undefined) await writeJson(json, { model: path, ...inspection });
  if (json === stdout) return;
  const { inspectionText } = await import('../../report/inspect.js');
  print(inspectionText(inspection, basename(path)));
}
