import type { VerifyReport } from '../verify/report.js';
import { proofLines } from './proof.js';
import { alignLabels } from './table.js';

/** The proof; where it failed, what differs; and what could not be compared. */
export function verificationText(proof: VerifyReport): string {
  const lines = proofLines(proof);
  if (proof.failure) lines.push(['failure', proof.failure.message]);
  const [skipped, ...more] = proof.skipped;
  if (skipped) {
    const others = more.length ? ` and ${more.length} more` : '';
    lines.push(['not compared', `'${skipped.value}'${others}: ${skipped.why}`]);
  }
  const warnings = proof.warnings.map((warning) => `warning: ${warning}`);
  return [...alignLabels(lines), ...warnings, ''].join('\n');
}
