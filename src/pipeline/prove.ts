import { firstFeeds } from '../data/feeds.js';
import type { DataSource } from '../data/batch.js';
import { PruneError } from '../errors.js';
import type { CommonOptions } from '../options/common.js';
import { combineReports } from '../verify/combine.js';
import { failureText } from '../verify/failure.js';
import { proofLevels, type ProofLevel, type VerifyReport } from '../verify/report.js';
import { verify } from '../verify/verify.js';
import type { PipelineOptions } from '../options/resolve.js';
import type { Claim, Draft, StageOutcome, Transition } from './stage.js';

export interface ProofOptions extends Pick<CommonOptions, 'signal' | 'onProgress'> {
  readonly level: ProofLevel;
  /** Seed of the random inputs. Default 0. */
  readonly seed?: number | undefined;
  /** Its first batch is compared too. */
  readonly data?: DataSource | undefined;
}

/** Proves what stages claim, one after the other; what comes after a claim that fails is not looked at. */
export async function prove(
  transitions: readonly Transition[],
  options: ProofOptions,
): Promise<VerifyReport> {
  const reports: VerifyReport[] = [];
  for (const { before, after, claim } of transitions) {
    if (!claim) continue;
    const report = await proveClaim(before, after, claim, options);
    reports.push(report);
    if (!report.passed) break;
  }
  return combineReports(options.level, reports);
}

async function proveClaim(
  { analysis }: Draft,
  { model: pruned }: Draft,
  { reference, masks, weights, upTo = 'full', needs }: Claim,
  { level: wanted, seed = 0, data, signal, onProgress }: ProofOptions,
): Promise<VerifyReport> {
  const { axes, shapes, runtime, canonical } = analysis;
  const level = lower(upTo, wanted);
  const report = await verify({
    ...{ analysis: axes, masks, weights, shapes, runtime, seed, signal },
    dense: reference,
    pruned: canonical.canonicalize(pruned),
    folded: canonical.hasBodies ? { pruned, fold: canonical.restore } : undefined,
    // Cuts are made around what is removed.
    level: level === 'sample' && masks.size === 0 ? 'outputs' : level,
    feeds: data && (await firstFeeds(data)),
    onProgress: (done, total, detail) => onProgress?.({ phase: 'verify', done, total, detail }),
  });
  if (!needs || !report.passed || level === 'shapes' || report.compared > 0) return report;
  const message = `no float value ${needs} could be compared; there is no proof`;
  return { ...report, passed: false, failure: { kind: 'nothing', value: '', node: '', op: '', message } };
}

function lower(a: ProofLevel, b: ProofLevel): ProofLevel {
  return proofLevels.indexOf(a) < proofLevels.indexOf(b) ? a : b;
}

/** Weights of a model that is still run whole for its proof, where nothing else is asked for. */
const maxWholeBytes = 2 ** 30;

/**
 * Proves all that was done so far.
 * @throws PruneError `verification` where a proof fails
 */
export async function proveStages(
  { analysis, done }: Draft,
  { verify: asked, verifyData: data, seed, signal, onProgress }: PipelineOptions,
): Promise<StageOutcome | undefined> {
  const level = asked ?? (analysis.cost.bytes() > maxWholeBytes ? 'sample' : 'outputs');
  if (level === 'none') return undefined;
  const verification = await prove(done, { level, seed, data, signal, onProgress });
  if (verification.passed) return { report: { verification, warnings: verification.warnings } };
  throw new PruneError('verification', failureText(verification.failure!));
}
