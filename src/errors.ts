/** Stable, machine-readable codes; the CLI maps them to exit codes. */
export type PruneErrorCode =
  | 'invalid-file' // missing, truncated or not an ONNX model
  | 'unsafe-path' // external data outside the model's folder or past a file's end
  | 'unsupported' // a valid model that this version can't handle
  | 'invalid-option' // a wrong option value
  | 'invalid-data' // calibration or evaluation data that does not fit the model
  | 'nothing-to-prune' // no prunable group is left after constraints
  | 'budget' // a budget that can't be met
  | 'runtime' // onnxruntime refused or failed
  | 'verification' // the proof failed
  | 'slow' // a speedup that was asked for was not measured
  | 'write' // the output can't be written
  | 'diverged' // training went wrong: a loss that is no finite number
  | 'aborted'
  | 'internal'; // a broken invariant of ours

/**
 * Base of every error this package throws on purpose.
 * Messages are lowercase, one line, name the thing and end with the remedy.
 */
export class PruneError extends Error {
  override readonly name: string = 'PruneError';

  constructor(
    readonly code: PruneErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(printable(message.replaceAll(/\s+/g, ' ')), options);
  }
}

/**
 * What must not reach a terminal from a name in a file: control characters, which move the cursor and rewrite what was
 * printed; bidirectional controls and line separators, which show one text for another; and what is no character.
 */
const hidden = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** A text of one line with such characters as escapes: `\u{1b}`. */
export function printable(text: string): string {
  return text.replace(hidden, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

/** The same for a text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** Throws a PruneError of code `aborted` if the signal was aborted. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new PruneError('aborted', 'aborted', { cause: signal.reason });
}
