import { Command } from 'commander';
import { existsSync, readFileSync } from 'node:fs';
import { addBenchCommand } from './commands/bench.js';
import { addDistilCommand } from './commands/distil.js';
import { addEvalCommand } from './commands/eval.js';
import { addInspectCommand } from './commands/inspect.js';
import { addPruneCommand } from './commands/prune.js';
import { addSweepCommand } from './commands/sweep.js';
import { addVerifyCommand } from './commands/verify.js';
import { PruneError } from '../errors.js';
import { nearest } from '../options/nearest.js';
import { exitCodeMeanings, reportFailure } from './failure.js';

/** The command line: `prune MODEL …` is the root command, everything else a subcommand. */
export function createProgram(): Command {
  const program = new Command('prune')
    .description(
      'Make an ONNX model smaller and faster by removing channels, and prove that the surgery was exact.',
    )
    .usage('<model> --ratio 0.5 -o <file> [options]\n       prune <command> ...')
    .helpOption('-h, --help', 'show this help')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      outputError: (message, write) => write(`${message.trim().replaceAll(/\s*\n\s*/g, ' ')}\n`),
    });
  addPruneCommand(program);
  program.version(version(), '-V, --version', 'print the version');
  addInspectCommand(program);
  addVerifyCommand(program);
  addDistilCommand(program);
  addBenchCommand(program);
  addEvalCommand(program);
  addSweepCommand(program);
  const codes = exitCodeMeanings.map(([code, meaning]) => `  ${String(code).padEnd(3)}  ${meaning}`);
  return program.addHelpText('after', ['', 'Exit codes:', ...codes].join('\n'));
}

/**
 * Runs the command line.
 * @returns the exit code; errors were printed as one line on stderr.
 */
export async function main(args: readonly string[]): Promise<number> {
  const program = createProgram();
  try {
    if (args.length === 0) {
      program.outputHelp({ error: true });
      return 2;
    }
    checkCommand(program, args[0]!);
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    return reportFailure(error);
  }
}

/** A word that is nearly a command and no file. @throws PruneError `invalid-option` */
function checkCommand(program: Command, word: string): void {
  const names = program.commands.map((command) => command.name());
  if (!/^[a-z]+$/i.test(word) || names.includes(word) || existsSync(word)) return;
  const meant = nearest(word, names);
  if (meant !== undefined)
    throw new PruneError('invalid-option', `unknown command '${word}'; did you mean ${meant}?`);
}

function version(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}
