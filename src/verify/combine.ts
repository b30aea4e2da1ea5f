import { proofLevels, type ProofLevel, type VerifyReport } from './report.js';

/**
 * Proofs of one step after another as one: it fails where the first of them does, and its level is the lowest of theirs.
 * @param level what was asked for
 */
export function combineReports(level: ProofLevel, reports: readonly VerifyReport[]): VerifyReport {
  return reports.reduce((all, next) => {
    const worse = next.maxError > all.maxError ? next : all;
    const isLower = proofLevels.indexOf(next.level) < proofLevels.indexOf(all.level);
    return {
      passed: all.passed && next.passed,
      level: isLower ? next.level : all.level,
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
  }, nothingProved(level));
}

function nothingProved(level: ProofLevel): VerifyReport {
  return {
    ...{ passed: true, level, failure: undefined, runs: [], cuts: 0, compared: 0 },
    ...{ maxError: 0, worst: undefined, dead: [], skipped: [], milliseconds: 0 },
  };
}
