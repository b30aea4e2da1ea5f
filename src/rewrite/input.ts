import type { AxisCoupling } from '../axes/couple.js';
import type { KeptMasks } from '../axes/project.js';
import type { Model } from '../onnx/model.js';
import type { ShapeOf } from '../plan/projection.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Variation } from '../shapes/variation.js';

/** What is rewritten, and what is known of it. */
export interface RewriteInput {
  readonly analysis: AxisCoupling;
  /** Kept indices of factors, as `keptMasks(plan)` gives them. */
  readonly masks: KeptMasks;
  /** The model to slice: the analysed one with the same nodes, maybe with other weights. Default: the analysed one. */
  readonly model?: Model;
  /** Dense static shapes, those the analysis was made with. */
  readonly shapeOf: ShapeOf;
  /** Dense static shapes at other sizes of the symbolic dims, asked for only if the graph computes sizes. */
  readonly variation?: (() => Promise<Variation | undefined>) | undefined;
  readonly runtime: Runtime;
}
