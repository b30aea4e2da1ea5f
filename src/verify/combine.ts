import { proofLevels, type ProofLevel, type VerifyReport } from './report.js';

/**
 * Proofs of one step after another as one: it fails where the first of them does, and its level is the lowest of theirs.
 * @param level what was asked for
 */
export function combineReports(level: ProofLevel, reports: readonly VerifyReport[]): VerifyReport {
  return reports.reduce((all, next) => {
    const worse = next.maxError > all.maxError ? next : all;
    const weaker = new Map(all.outputs.map((output) => [output.name, output]));
    for (const output of next.outputs)
      if (output.proof !== 'compared' || !weaker.has(output.name)) weaker.set(output.name, output);
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
      outputs: [...weaker.values()],
      redrawn: union(all.redrawn, next.redrawn),
      dead: union(all.dead, next.dead),
      skipped: [...all.skipped, ...next.skipped],
      weights: all.weights === 'changed' ? 'changed' : next.weights,
      warnings: union(all.warnings, next.warnings),
      milliseconds: all.milliseconds + next.milliseconds,
    };
  }, nothingProved(level));
}

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])];

function nothingProved(level: ProofLevel): VerifyReport {
  return {
    ...{ passed: true, level, failure: undefined, runs: [], cuts: 0, compared: 0 },
    ...{ maxError: 0, worst: undefined, outputs: [], redrawn: [], dead: [], skipped: [] },
    ...{ weights: 'sliced', warnings: [], milliseconds: 0 },
  };
}
