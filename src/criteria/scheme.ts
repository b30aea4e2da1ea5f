/**
 * The group-level scheme: every member of a group scores its slice of a channel, the slices are aggregated over the
 * group, and the group's scores are normalised so that groups can be compared.
 * DepGraph (Fang et al., "DepGraph: Towards Any Structural Pruning", 2023) and SPA ("Structurally Prune Anything",
 * 2024); formulas as in Torch-Pruning.
 */
export type Aggregation = (typeof aggregations)[number];

/**
 * `mean`, `max`, `sum` divide by that of the group; `gaussian` gives zero mean and unit deviation; `lamp` divides by
 * the sum of all scores that are at least as high (Lee et al., "Layer-adaptive Sparsity for the Magnitude-based
 * Pruning", 2021); `none` leaves the scores as they are.
 */
export type Normalization = (typeof normalizations)[number];

export const aggregations = ['mean', 'sum', 'max', 'prod', 'first'] as const;
export const normalizations = ['mean', 'sum', 'max', 'gaussian', 'lamp', 'none'] as const;

/** One score per channel from one list per slice. There must be at least one slice. */
export function aggregate(slices: readonly ArrayLike<number>[], how: Aggregation): Float64Array {
  const out = Float64Array.from(slices[0]!);
  if (how === 'first') return out;
  for (const slice of slices.slice(1))
    for (let c = 0; c < out.length; c++) {
      const value = slice[c]!;
      if (how === 'max') out[c] = Math.max(out[c]!, value);
      else if (how === 'prod') out[c]! *= value;
      else out[c]! += value;
    }
  if (how === 'mean') for (let c = 0; c < out.length; c++) out[c]! /= slices.length;
  return out;
}

/** Scores that are all zero (or, for `gaussian`, all equal) have no scale and stay as they are. */
export function normalize(scores: Float64Array, how: Normalization): Float64Array {
  switch (how) {
    case 'none':
      return scores;
    case 'sum':
      return divide(scores, total(scores));
    case 'mean':
      return divide(scores, total(scores) / scores.length);
    case 'max':
      return divide(
        scores,
        scores.reduce((a, b) => Math.max(a, b), -Infinity),
      );
    case 'gaussian':
      return standardize(scores);
    case 'lamp':
      return layerAdaptive(scores);
  }
}

function total(scores: Float64Array): number {
  return scores.reduce((a, b) => a + b, 0);
}

function divide(scores: Float64Array, by: number): Float64Array {
  return by === 0 ? scores : scores.map((score) => score / by);
}

function standardize(scores: Float64Array): Float64Array {
  const mean = total(scores) / scores.length;
  const centred = scores.map((score) => score - mean);
  return divide(centred, Math.sqrt(total(centred.map((x) => x * x)) / scores.length));
}

function layerAdaptive(scores: Float64Array): Float64Array {
  const descending = Float64Array.from(scores).sort().reverse();
  const share = new Map<number, number>();
  let sum = 0;
  for (let i = 0; i < descending.length; i++) {
    sum += descending[i]!;
    // Equal scores get one value: the last one written, whose sum includes them all.
    share.set(descending[i]!, sum === 0 ? 0 : descending[i]! / sum);
  }
  return scores.map((score) => share.get(score)!);
}
