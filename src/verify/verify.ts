import { projectionOf } from '../plan/projection.js';
import { saturatesProducts } from '../runtime/saturation.js';
import type { Shapes } from '../shapes/shapes.js';
import { multipliesSigned } from './exact-products.js';
import type { VerifyInput } from './input.js';
import { Proof } from './proof.js';
import type { VerifyReport } from './report.js';
import { trialShapes } from './trial-sizes.js';

/**
 * Proves a pruned model: its interface is the dense model's, onnxruntime loads it, every static shape is as predicted,
 * its weights are the dense ones on the kept channels, and it computes what the masked original computes there. A failed
 * proof is a report with `passed: false`, not an error.
 * @throws PruneError `runtime` if the dense model doesn't run, `unsupported` if it can't be masked, `invalid-data` for
 *   inputs that are no numbers, `aborted`.
 */
export async function verify(input: VerifyInput): Promise<VerifyReport> {
  const start = performance.now();
  const { dense, shapes, runtime, signal } = input;
  const variants = [shapes, ...(await trialShapes(dense, shapes, runtime, signal))];
  const warnings = await roundingWarnings(input);
  const report = { ...(await run(input, variants)), warnings };
  const { failure } = report;
  const done = (final: Omit<VerifyReport, 'milliseconds'>): VerifyReport => ({
    ...final,
    milliseconds: performance.now() - start,
  });
  if (!failure || failure.kind === 'interface' || failure.kind === 'weight') return done(report);
  // What fails against itself is at fault by itself.
  const level = input.level === 'full' ? 'outputs' : input.level;
  const same = { level, masks: new Map(), pruned: dense, folded: undefined, weights: 'sliced' } as const;
  const itself = await run({ ...input, ...same }, variants);
  if (!itself.failure || itself.failure.kind === 'nothing') return done(report);
  const message = `the original model doesn't agree with itself: ${itself.failure.message}`;
  return done({ ...report, failure: { ...itself.failure, kind: 'dense', message } });
}

/** What the proof computes otherwise than the user's runs will. */
async function roundingWarnings({ dense, shapes, runtime, level }: VerifyInput): Promise<readonly string[]> {
  if (level === 'shapes' || !multipliesSigned(dense, (value) => shapes.dtypeOf(value))) return [];
  if (!(await saturatesProducts(runtime))) return [];
  return [
    'onnxruntime adds 8-bit products at 16 bits on this CPU, which has no VNNI, so that results vary with the order of channels; the proof adds them exactly, accuracy and latency are as they are here',
  ];
}

function run(input: VerifyInput, variants: readonly Shapes[]): Promise<Omit<VerifyReport, 'milliseconds'>> {
  const projection = projectionOf(input.analysis.system, input.masks);
  return new Proof(input, projection, variants).run();
}
