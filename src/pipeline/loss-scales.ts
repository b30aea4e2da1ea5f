import type { Analysis } from '../analysis/analyze.js';
import type { GroupScores } from '../criteria/score.js';
import { throwIfAborted } from '../errors.js';
import { removedScore, type PruningGroup } from '../groups/group.js';
import { runtimeProduct } from '../linear/product.js';
import type { Model } from '../onnx/model.js';
import { keptMasks } from '../plan/plan.js';
import type { LayerHessian } from '../reconstruct/hessians.js';
import { withoutChannels } from '../reconstruct/single-cut.js';
import { withWeights } from '../edit/weights.js';
import { Projection } from '../plan/projection.js';
import type { OutputError } from '../statistics/output-error.js';
import { maskedModel } from '../masking/masked.js';

export interface LossScaleOptions {
  readonly scores: GroupScores;
  /** Readers of a group as they were measured; of groups without, channels are masked and nothing makes up for them. */
  readonly hessians: ReadonlyMap<PruningGroup, readonly LayerHessian[]>;
  readonly outputError: OutputError;
  /** Channels that each group would keep if all lost the same share. */
  readonly kept: ReadonlyMap<PruningGroup, number>;
  readonly signal?: AbortSignal | undefined;
  readonly onGroup?: ((done: number, total: number) => void) | undefined;
}

/** A group's loss counts at least as this share of what is usual, however little its cut changed. */
const least = 1e-3;

/**
 * Losses that can be compared between groups: each group is cut by itself, its readers make up for it, and what that does
 * to the model's output on examples sets the scale of the group's losses. Nothing is assumed of how a layer's error
 * reaches the output.
 * @returns scores of the groups that were measured on the scale of the output's error; the others are left out
 */
export async function scaledLosses(
  analysis: Analysis,
  { scores, hessians, outputError, kept, signal, onGroup }: LossScaleOptions,
): Promise<GroupScores> {
  const factors = new Map<PruningGroup, number>();
  const products = await runtimeProduct(analysis.runtime);
  try {
    let done = 0;
    for (const [group, count] of kept) {
      throwIfAborted(signal);
      const own = scores.get(group);
      if (!own || count >= group.size) continue;
      const removed = lowest(own, group.size - count);
      const predicted = own.reduce((sum, score, c) => sum + (removed[c] ? Math.max(0, score) : 0), 0);
      const readers = hessians.get(group) ?? [];
      const model =
        readers.length > 0
          ? withWeights(analysis.model, await withoutChannels(readers, removed, products.product))
          : masked(analysis, group, removed);
      const measured = await outputError.of(analysis.canonical.restore(model));
      factors.set(group, predicted > 0 ? measured / predicted : 0);
      onGroup?.(++done, kept.size);
    }
  } finally {
    await products.release();
  }
  const usual = [...factors.values()].sort((a, b) => a - b)[factors.size >> 1] ?? 0;
  return new Map(
    [...scores].flatMap(([group, own]): [PruningGroup, Float64Array][] => {
      const factor = factors.get(group);
      if (factor === undefined) return [];
      const scale = Math.max(factor, least * usual);
      return [[group, own.map((score) => (score > 0 && Number.isFinite(score) ? score * scale : score))]];
    }),
  );
}

/** The channels with the lowest scores, one byte each; those that can't go have infinite ones. */
function lowest(scores: Float64Array, count: number): Uint8Array {
  const order = Int32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]! || a - b);
  const removed = new Uint8Array(scores.length);
  for (const channel of order.subarray(0, count)) if (scores[channel] !== removedScore) removed[channel] = 1;
  return removed;
}

function masked({ axes, model, shapes }: Analysis, group: PruningGroup, removed: Uint8Array): Model {
  const kept = Int32Array.from(removed.keys()).filter((channel) => !removed[channel]);
  return maskedModel({
    analysis: axes,
    projection: new Projection(axes.system, keptMasks({ kept: new Map([[group, kept]]) })),
    model,
    shapeOf: (value) => shapes.of(value),
    dtypeOf: (value) => shapes.dtypeOf(value),
  });
}
