/** Analyses a model, removes random channels and rewrites it: what most tests of the rewriter start from. */
import { analyze } from '../../src/analysis/analyze.js';
import type { Factor } from '../../src/axes/axis.js';
import type { PruningGroup } from '../../src/groups/group.js';
import { decodeModel, encodeModel } from '../../src/onnx/codec.js';
import type { Model } from '../../src/onnx/model.js';
import { randomGenerator } from '../../src/random/random.js';
import { rewriteModel } from '../../src/rewrite/rewrite.js';
import { variationOf } from '../../src/shapes/variation.js';
import type { Runtime } from '../../src/runtime/runtime.js';
import type { VerifyInput } from '../../src/verify/input.js';
import { verify } from '../../src/verify/verify.js';

export interface RandomPlanOptions {
  readonly ratio?: number;
  readonly seed?: number;
  /** Which groups may lose channels. Default: all. */
  readonly only?: (group: PruningGroup) => boolean;
  /** Axes of inputs and outputs that may lose positions too. */
  readonly allowIo?: readonly string[];
}

export async function pruneAtRandom(model: Model, runtime: Runtime, options: RandomPlanOptions = {}) {
  const { ratio = 0.5, seed = 1, only = () => true, allowIo } = options;
  const settings = { runtime, ...(allowIo && { allowIo }) };
  const { model: dense, canonical, shapes, axes: analysis, grouping } = await analyze(model, settings);
  const random = randomGenerator(seed);
  const masks = new Map<Factor, Uint8Array>();
  for (const group of grouping.groups.filter(only)) {
    const order = Array.from({ length: group.size }, (_, i) => [random(), i] as const).sort(
      (a, b) => a[0] - b[0],
    );
    const mask = new Uint8Array(group.size).fill(1);
    for (const [, i] of order.slice(0, Math.min(group.size - 1, Math.floor(group.size * ratio)))) mask[i] = 0;
    if (mask.includes(0)) masks.set(group.factor, mask);
  }
  const result = await rewriteModel({
    analysis,
    masks,
    shapeOf: (value) => shapes.of(value),
    variation: () => variationOf(dense, shapes, runtime),
    runtime,
  });
  // What counts is what a file of it says.
  const pruned = decodeModel(encodeModel(canonical.restore(result.model)));
  const { restore: fold, canonicalize: unfold, hasBodies } = canonical;
  const folded = hasBodies ? { pruned, fold } : undefined;
  const proof = {
    analysis,
    masks,
    dense,
    pruned: unfold(pruned),
    folded,
    shapes,
    runtime,
    level: 'full',
    seed: 1,
  } as const;
  return {
    grouping,
    masks,
    result,
    pruned,
    proof,
    prove: (more: Partial<VerifyInput> = {}) => verify({ ...proof, ...more }),
  };
}
