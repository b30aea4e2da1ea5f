import { PruneError, throwIfAborted } from '../errors.js';
import { removedScore, type Grouping, type PruningGroup } from '../groups/group.js';
import type { Tensor } from '../onnx/tensor.js';
import { dataNeeds, type Measured } from '../members/measured.js';
import type { LeadingSums } from '../members/sums.js';
import { WeightReader, type ReadySums } from '../members/weights.js';
import type { Criterion, CriterionContext, CriterionResult } from './criterion.js';
import { aggregate, normalize, type Aggregation, type Normalization } from './scheme.js';

/** Importance of each channel by group; a group that the criterion can't score is missing. */
export type GroupScores = ReadonlyMap<PruningGroup, Float64Array>;

export interface ScoreOptions {
  /** Groups to score. Default: all. */
  readonly groups?: readonly PruningGroup[] | undefined;
  /** Over the members of a group. Default: the criterion's own, else `mean`. */
  readonly aggregation?: Aggregation | undefined;
  /** Within a group. Default: the criterion's own, else `mean`. */
  readonly normalization?: Normalization | undefined;
  /** Default 0. */
  readonly seed?: number | string | undefined;
  /** What was measured on data, for criteria that need it. */
  readonly measured?: ReadonlyMap<PruningGroup, Measured> | undefined;
  /** Channels that are left of groups that lost some: they are normalised by themselves, all others come last. */
  readonly kept?: ReadonlyMap<PruningGroup, Int32Array> | undefined;
  /** Sums that were made ready, to the criterion's power. */
  readonly sums?: ReadonlyMap<Tensor, LeadingSums> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onGroup?: ((done: number, total: number) => void) | undefined;
}

/**
 * Scores groups with a criterion.
 * @throws PruneError `invalid-option` if the criterion returns something else than one number per channel, or needs
 *   data that was not given;
 *   `invalid-data` if one is not finite; `aborted`.
 */
export function scoreGroups(
  grouping: Grouping,
  criterion: Criterion,
  options: ScoreOptions = {},
): GroupScores {
  const { groups = grouping.groups, seed = 0, signal, onGroup } = options;
  const aggregation = options.aggregation ?? criterion.aggregation ?? 'mean';
  const normalization = options.normalization ?? criterion.normalization ?? 'mean';
  const reader = criterion.needs.includes('weights')
    ? new WeightReader(grouping, groups, readySums(criterion, options))
    : undefined;
  const scores = new Map<PruningGroup, Float64Array>();
  const missing = criterion.needs.find((need) => (dataNeeds as readonly string[]).includes(need));
  if (missing !== undefined && !options.measured)
    throw new PruneError(
      'invalid-option',
      `criterion '${criterion.name}' is measured on data; give data, or use magnitude`,
    );
  groups.forEach((group, index) => {
    throwIfAborted(signal);
    const context: CriterionContext = {
      ...nothingMeasured,
      ...options.measured?.get(group),
      group,
      weights: reader?.weightsOf(group) ?? [],
      seed,
    };
    const slices = slicesOf(criterion.score(context));
    if (slices.length > 0) {
      for (const slice of slices) checkSlice(criterion, group, slice);
      scores.set(
        group,
        checkFinite(
          criterion,
          group,
          normalizeKept(aggregate(slices, aggregation), normalization, options.kept?.get(group)),
        ),
      );
    }
    reader?.release(group);
    onGroup?.(index + 1, groups.length);
  });
  return scores;
}

function readySums({ power }: Criterion, { sums }: ScoreOptions): ReadySums | undefined {
  return sums && power && { sums, power };
}

const nothingMeasured = {
  gradients: [],
  gates: [],
  exampleGradients: [],
  curvature: [],
  activations: [],
  hessians: [],
  drift: [],
  basisLosses: undefined,
};

function normalizeKept(scores: Float64Array, how: Normalization, kept: Int32Array | undefined): Float64Array {
  if (!kept) return normalize(scores, how);
  const normalized = normalize(
    Float64Array.from(kept, (channel) => scores[channel]!),
    how,
  );
  const all = new Float64Array(scores.length).fill(removedScore);
  kept.forEach((channel, i) => (all[channel] = normalized[i]!));
  return all;
}

function slicesOf(result: CriterionResult): readonly ArrayLike<number>[] {
  if (result === undefined) return [];
  if (Array.isArray(result) && (result.length === 0 || typeof result[0] === 'object'))
    return result as readonly ArrayLike<number>[];
  return [result as ArrayLike<number>];
}

function checkSlice({ name }: Criterion, group: PruningGroup, slice: ArrayLike<number>): void {
  // A user's function may return anything.
  const given: unknown = (slice as ArrayLike<number> | null)?.length;
  if (given !== group.size)
    throw new PruneError(
      'invalid-option',
      `criterion '${name}' gives ${String(given)} scores for group '${group.name}'; return one for each of its ${group.size} channels`,
    );
}

function checkFinite({ name }: Criterion, group: PruningGroup, scores: Float64Array): Float64Array {
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad < 0) return scores;
  throw new PruneError(
    'invalid-data',
    `criterion '${name}' scores channel ${bad} of group '${group.name}' as ${scores[bad]}; check its weights or choose another criterion`,
  );
}
