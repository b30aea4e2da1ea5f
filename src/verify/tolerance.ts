import type { DataType } from '../onnx/data-type.js';
import type { Graph } from '../onnx/model.js';
import { has } from '../ops/index.js';

/**
 * Largest difference that rounding explains, relative to the largest absolute value of the tensor. float32: about
 * 1e-5 was seen in deep models. Half types round every intermediate to 2^-11 and 2^-8: some twenty roundings that
 * add up.
 */
export function defaultTolerance(dtype: DataType): number {
  return dtype === 'float16' ? 1e-2 : dtype === 'bfloat16' ? 8e-2 : 1e-4;
}

/** Below this largest absolute value a tensor is dead: that it agrees proves nothing. */
export const deadBelow = 1e-6;

/**
 * Sizes that errors are judged by where a tensor's own largest value says too little about its rounding.
 * A sum whose terms cancel (the mean of centred values) keeps the rounding of the terms: this share of the largest
 * input counts as its size.
 */
export const cancellation = 1e-2;

/** Values of a saturating function that are closer together than this hold nothing. */
export const saturatedBelow = 1e-4;

/** A function of single elements rounds its result to this share of what it read at most: some sixteen roundings. */
export const pointwiseRounding = 2 ** -20;

/**
 * Roundings add up to this share of the sums behind a tensor at most, of which the usual size of its channels tells: a
 * channel that is smaller than others, as behind a Relu that cuts nearly all of it, keeps the rounding of its sums.
 */
export const usualRounding = 2e-5;

/** The smallest share of a tensor of halves that a channel is judged by: sums round to halves of their largest term. */
export const smallestHalfChannel = 0.1;

/**
 * The smallest size that a value is judged by: functions with values up to 1 are computed with an error of about
 * 1e-7 also where they are saturated, and moving elements changes nothing of that. Values that are not listed: 0.
 */
export function smallestSizes(graph: Graph): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>();
  for (const node of graph.nodes) {
    const { inputs, outputs } = node;
    const size = has(node, 'bounded')
      ? cancellation
      : has(node, 'moves', 'casts')
        ? Math.max(0, ...inputs.map((name) => sizes.get(name) ?? 0))
        : 0;
    if (size > 0) for (const name of outputs) sizes.set(name, size);
  }
  return sizes;
}

/**
 * Tolerances of values that were computed in a coarser type before: the rounding of a half stays where it is cast to
 * float32. Moving elements rounds nothing. Values that are not listed have that of their own type.
 */
export function inheritedTolerances(
  graph: Graph,
  dtypeOf: (value: string) => DataType | undefined,
): ReadonlyMap<string, number> {
  const tolerances = new Map<string, number>();
  for (const node of graph.nodes) {
    const { inputs, outputs } = node;
    const before = Math.max(0, ...inputs.map((name) => tolerances.get(name) ?? 0));
    const isExact = has(node, 'moves');
    for (const name of outputs) {
      const dtype = dtypeOf(name);
      const own = isExact || dtype === undefined ? 0 : defaultTolerance(dtype);
      const tolerance = Math.max(before, own);
      if (tolerance > defaultTolerance('float32')) tolerances.set(name, tolerance);
    }
  }
  return tolerances;
}
