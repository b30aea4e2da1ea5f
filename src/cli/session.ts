import { printableLines } from '../errors.js';
import type { CommonOptions } from '../options/common.js';
import { ProgressLine } from './progress.js';

/** What every command runs in: the signal that stops it and the line that shows how far it is. */
export interface Session {
  readonly common: Required<Pick<CommonOptions, 'signal' | 'onProgress'>>;
  /** Text for people, on stdout; nothing if asked to be quiet. */
  readonly print: (text: string) => void;
}

/**
 * Runs an action that the first SIGINT or SIGTERM stops at its next step, so that no half-written file is left. A
 * second one ends the process at once.
 */
export async function inSession(
  quiet: boolean | undefined,
  action: (session: Session) => Promise<void>,
): Promise<void> {
  const abort = new AbortController();
  const stop = (signal: NodeJS.Signals): void => abort.abort(signal);
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const progress = new ProgressLine(process.stderr.isTTY && !quiet ? process.stderr : undefined);
  // A program that started this one as a child process hears how far it is.
  const onProgress: Session['common']['onProgress'] = (now) => {
    progress.update(now);
    process.send?.(now);
  };
  try {
    await action({
      common: { signal: abort.signal, onProgress },
      print: (text) => {
        progress.clear();
        if (!quiet) process.stdout.write(printableLines(text));
      },
    });
  } finally {
    progress.clear();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
