import { CommanderError } from 'commander';
import { PruneError, type PruneErrorCode } from '../errors.js';

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
  process.stderr.write(`error: ${oneLine(error)}\n`);
  if (process.env['DEBUG']) console.error(error);
  return exitCodes[error instanceof PruneError ? error.code : 'internal'];
}

function oneLine(error: unknown): string {
  if (error instanceof PruneError) return error.message.replaceAll(/\s*\n\s*/g, ' ');
  const message = error instanceof Error ? error.message : String(error);
  return `${message.split('\n', 1)[0]!}; set DEBUG=1 for the details and report it`;
}
