import type { VerifyReport } from './report.js';

/** Proofs of one step after another as one: it fails where the first of them does. */
export function combineReports(...reports: readonly VerifyReport[]): VerifyReport {
  return reports.reduce((all, next) => {
    const worse = next.maxError > all.maxError ? next : all;
    return {
      passed: all.passed && next.passed,
      level: all.level,
      failure: all.failure ?? next.failure,
      runs: [...all.runs, ...next.runs],
      cuts: all.cuts + next.cuts,
      compared: all.compared + next.compared,
      maxError: worse.maxError,
      worst: worse.worst ?? all.worst ?? next.worst,
      dead: [...new Set([...all.dead, ...next.dead])],
      skipped: [...all.skipped, ...next.skipped],
      milliseconds: all.milliseconds + next.milliseconds,
    };
  });
}
