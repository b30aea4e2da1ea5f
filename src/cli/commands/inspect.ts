import type { Command } from 'commander';
import { basename, extname } from 'node:path';
import type { AnalyzeOptions } from '../../options.js';
import { toJsonText } from '../../report/json.js';
import { inspectionText } from '../../report/inspect.js';
import { addFlags, type Flags, type Given } from '../flags.js';
import { analyzeFlags } from '../option-flags.js';
import { checkTargets, stdout, writeJson, writeText } from '../outputs.js';
import { inSession, type Session } from '../session.js';
import { choice, text, toggle } from '../values.js';

interface CommandOptions {
  json: string | true;
  dot: string;
  graph: 'coupling' | 'computational';
  quiet: boolean;
}

const commandFlags = {
  json: {
    flags: '--json [file]',
    help: 'write groups, coverage and blockers as JSON; without a file to stdout, in place of the table',
    value: text,
  },
  dot: {
    flags: '--dot <file>',
    help: "write the graph in Graphviz's language, or as graphlib's JSON if the file ends in .json",
    value: text,
  },
  graph: {
    flags: '--graph <which>',
    help: 'for --dot: coupling (groups and tensors) or computational (default: coupling)',
    value: choice('coupling', 'computational'),
  },
  quiet: { flags: '-q, --quiet', help: 'print nothing but errors', value: toggle },
} as const satisfies Flags<CommandOptions>;

/** `prune inspect MODEL` */
export function addInspectCommand(program: Command): void {
  const command = program
    .command('inspect')
    .description('show what can be pruned, and what holds the rest back')
    .argument('<model>', 'an .onnx file');
  const readCommand = addFlags<CommandOptions>(command, commandFlags);
  const readOptions = addFlags<AnalyzeOptions>(command, analyzeFlags);
  command.action(async (model: string) => {
    const given = readCommand();
    await inSession(given.quiet === true, (session) => inspectCommand(model, given, readOptions(), session));
  });
}

async function inspectCommand(
  path: string,
  { dot, graph, ...command }: Given<CommandOptions>,
  options: Given<AnalyzeOptions>,
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
    await writeText(dot, extname(dot) === '.json' ? toJsonText(api.toJson(drawn)) : api.toDot(drawn));
  }
  const inspection = api.inspect(analysis);
  if (json !== undefined) await writeJson(json, { model: path, ...inspection });
  if (json !== stdout) print(inspectionText(inspection, basename(path)));
}
