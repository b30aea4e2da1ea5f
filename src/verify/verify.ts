import type { AxisCoupling } from '../axes/couple.js';
import type { KeptMasks } from '../axes/project.js';
import type { Model } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import { Projection } from '../rewrite/projection.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Shapes } from '../shapes/shapes.js';
import { Proof } from './proof.js';
import type { ProofLevel, VerifyReport } from './report.js';
import { trialShapes } from './trial-sizes.js';

export interface VerifyInput {
  readonly analysis: AxisCoupling;
  /** What was removed, as `keptMasks(plan)` gives it. */
  readonly masks: KeptMasks;
  /** The model that was sliced: the analysed one, maybe with other weights. */
  readonly dense: Model;
  readonly pruned: Model;
  /**
   * Where both models hold bodies of nodes opened up: the form of the file, of which the outputs are compared too, at
   * the levels `outputs` and `full`.
   */
  readonly folded?: { readonly pruned: Model; readonly fold: (model: Model) => Model } | undefined;
  /** Shapes of the dense model, those the analysis was made with. */
  readonly shapes: Shapes;
  readonly runtime: Runtime;
  readonly level: ProofLevel;
  /**
   * What the pruned model's weights are: `sliced` from the dense model's (the default); `changed`, so that only the
   * structure is proved, with re-drawn weights; or `equivalent`: others that make the same of the inputs.
   */
  readonly weights?: 'sliced' | 'changed' | 'equivalent' | undefined;
  /** Real inputs of the dense model, one set per run, besides the random ones. */
  readonly feeds?: Iterable<Readonly<Record<string, Tensor>>> | undefined;
  /** Of the random inputs. */
  readonly seed: number | string;
  /** Relative to the largest absolute value of a tensor. Default by dtype: see `defaultTolerance`. */
  readonly tolerance?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number, detail: string) => void) | undefined;
}

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
  const report = await run(input, variants);
  const { failure } = report;
  const done = (final: Omit<VerifyReport, 'milliseconds'>): VerifyReport => ({
    ...final,
    milliseconds: performance.now() - start,
  });
  if (!failure || failure.kind === 'interface' || failure.kind === 'weight') return done(report);
  // What fails against itself is at fault by itself.
  const same = { masks: new Map(), pruned: dense, folded: undefined, weights: 'sliced' } as const;
  const itself = await run({ ...input, ...same }, variants);
  if (!itself.failure || itself.failure.kind === 'nothing') return done(report);
  const message = `the original model doesn't agree with itself: ${itself.failure.message}`;
  return done({ ...report, failure: { ...itself.failure, kind: 'dense', message } });
}

function run(input: VerifyInput, variants: readonly Shapes[]): Promise<Omit<VerifyReport, 'milliseconds'>> {
  const projection = new Projection(input.analysis.system, input.masks);
  return new Proof(input, projection, variants).run();
}
