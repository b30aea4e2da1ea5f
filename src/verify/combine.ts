import type { VerifyReport } from './report.js';

/** Proofs of one step after another as one: it fails where the first of them does. */
export function combineReports(...reports: readonly VerifyReport[]): VerifyReport {
  return reports.reduce((all, next) => {
    const worse = next.maxError > all.maxError ? next : all;
    const weaker = new Map(all.outputs.map((output) => [output.name, output]));
    for (const output of next.outputs)
      if (output.proof !== 'compared' || !weaker.has(output.name)) weaker.set(output.name, output);
    return {
      passed: all.passed && next.passed,
      level: all.level,
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
  });
}

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])];
