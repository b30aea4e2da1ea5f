import { PruneError } from '../errors.js';
import type { Model } from '../onnx/model.js';
import type { Runtime } from '../runtime/runtime.js';
import { inferOpenShapes, type Shapes } from './shapes.js';
import { movedShapes, type FreeDim, type Moves } from './vary.js';

/** What is known of a model's shapes beyond the sizes that it is pinned to. */
export interface Variation {
  /** Static dims that hold at every size of the symbolic dims; an entry is undefined where it may change. */
  readonly open: Shapes;
  /**
   * The shapes at other sizes, a new one at each call: by step and by factor, each larger than the ones before.
   * Undefined where there are no more.
   */
  next(): Promise<Shapes | undefined>;
}

/** Undefined for a model without symbolic dims. */
export async function variationOf(
  model: Model,
  shapes: Shapes,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<Variation | undefined> {
  if (shapes.symbolic.size === 0) return undefined;
  let turn = 0;
  return {
    open: await openShapes(model, shapes, runtime, signal),
    next: async () => {
      while (turn < turns.length) {
        const moved = await movedShapes(model, shapes, runtime, turns[turn++]!, signal);
        if (moved) return moved;
      }
      return undefined;
    },
  };
}

/** The shapes at one other size; undefined where there is none. */
export async function variedShapes(
  model: Model,
  shapes: Shapes,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<Shapes | undefined> {
  return movedShapes(model, shapes, runtime, turns[0]!, signal);
}

/** Every size that a variation may try for a dim: proofs use others. */
export function triedSizes(dim: FreeDim): ReadonlySet<number> {
  return new Set(turns.flatMap((moves) => moves(dim)));
}

/**
 * By a step, by a factor, by a long step, by a large factor. The first of each shares no stride with the pinned size;
 * the others are for models that take multiples only.
 */
const lengths: readonly Moves[] = [
  ({ size, index }) => [size + 37 + 4 * index, size + 128 * (index + 1), 2 * size],
  ({ size, index }) => [(5 + index) * size + 7, (2 + index) * size + 1, (2 + index) * size, 2 * size],
  ({ size, index }) => [size + 487 + 6 * index, size + 640 * (index + 1), 3 * size],
  ({ size, index }) => [23 * size + 3 + 2 * index, 23 * size],
];
/** Batches take any size. */
const turns = lengths.map(
  (moves, turn): Moves =>
    (dim) => (dim.isLeading ? [dim.size + 2 + 2 * (turn + dim.index)] : moves(dim)), // prettier-ignore
);

/** Without any knowledge where onnxruntime refuses the open model. */
async function openShapes(
  model: Model,
  shapes: Shapes,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<Shapes> {
  try {
    return await inferOpenShapes(model, runtime, shapes, signal);
  } catch (error) {
    if (!(error instanceof PruneError) || error.code === 'aborted') throw error;
    return { ...shapes, of: () => undefined };
  }
}
