import { CommanderError } from 'commander';
import { inspect } from 'node:util';
import { printable, printableLines, PruneError, type PruneErrorCode } from '../errors.js';

/** Exit codes by kind of error; 0 is success. Documented in the help and the README. */
export const exitCodes: Readonly<Record<PruneErrorCode, number>> = {
  internal: 1,
  'invalid-option': 2,
  'invalid-file': 3,
  'unsafe-path': 3,
  unsupported: 3,
  'invalid-data': 3,
  'nothing-to-prune': 4,
  budget: 5,
  verification: 6,
  runtime: 7,
  write: 8,
  slow: 9,
  diverged: 10,
  aborted: 130,
};

/** What each exit code means, for the help. */
export const exitCodeMeanings: readonly (readonly [code: number, meaning: string])[] = [
  [0, 'done'],
  [1, 'an error of onnx-prune itself; please report it'],
  [2, 'a wrong option'],
  [3, 'a model or data that is missing, damaged, unsafe or not supported'],
  [4, 'nothing to prune'],
  [5, 'the budget cannot be met'],
  [6, 'the proof failed; nothing was written'],
  [7, 'onnxruntime or the asked provider failed'],
  [8, 'a file cannot be written'],
  [9, 'a speedup that was asked for was not measured'],
  [10, 'training went wrong: its loss is no finite number'],
  [130, 'interrupted; nothing was written'],
];

/** One line on stderr, the whole error with `DEBUG` set, and the exit code. */
export function reportFailure(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes['invalid-option'];
  process.stderr.write(`error: ${printable(oneLine(error))}\n`);
  if (process.env['DEBUG']) process.stderr.write(`${printableLines(inspect(error))}\n`);
  return exitCodes[error instanceof PruneError ? error.code : 'internal'];
}

/**
 * What becomes of a stdout that takes nothing more. A reader that closes the pipe early, such as head, is no error.
 * @returns the exit code
 */
export function reportFailedOutput({ code = 'unknown error' }: NodeJS.ErrnoException): number {
  if (code === 'EPIPE') return 0;
  process.stderr.write(`error: can't write to stdout (${code}); free space, or write to another file\n`);
  return exitCodes.write;
}

function oneLine(error: unknown): string {
  if (error instanceof PruneError) return error.message.replaceAll(/\s*\n\s*/g, ' ');
  const message = error instanceof Error ? error.message : String(error);
  if (/\bE[MN]FILE\b/.test(message)) return "too many files are open; raise the limit with 'ulimit -n'";
  return `${message.split('\n', 1)[0]!}; set DEBUG=1 for the details and report it`;
}
