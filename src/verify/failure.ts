import type { ProofFailure } from './report.js';

/** One line for people: what failed, whose fault it is, and the remedy. */
export function failureText({ kind, message }: ProofFailure): string {
  if (kind === 'dense') return `${message}; mend the model, or pass --no-verify`;
  if (kind === 'nothing')
    return `${message}; give data with --verify-data, ask for less, or pass --no-verify`;
  return `the pruned model failed the proof: ${message}; please report this model`;
}
