import type { AxisCoupling } from '../axes/couple.js';
import type { KeptMasks } from '../axes/project.js';
import type { Model } from '../onnx/model.js';
import type { Tensor } from '../onnx/tensor.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Shapes } from '../shapes/shapes.js';
import type { ProofLevel } from './report.js';

/** What is proved, and how far. */
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
  /** Seed of the random inputs. */
  readonly seed: number | string;
  /** Relative to the largest absolute value of a tensor. Default by dtype: see `defaultTolerance`. */
  readonly tolerance?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number, detail: string) => void) | undefined;
}
