import type { Analysis } from '../analysis/analyze.js';
import type { Criterion } from '../criteria/criterion.js';
import { scoreGroups, type GroupScores, type ScoreOptions } from '../criteria/score.js';
import {
  dataNeeds,
  usualDrift,
  type DataNeed,
  type Measured,
  type MemberDrift,
} from '../members/measured.js';
import type { LeadingSums, SumsMaker } from '../members/sums.js';
import type { DataSource } from '../data/batch.js';
import { PruneError } from '../errors.js';
import { resolveLoss, type LossSpec } from '../gradients/losses.js';
import type { Grouping, PruningGroup } from '../groups/group.js';
import { isFloat } from '../onnx/data-type.js';
import type { Tensor } from '../onnx/tensor.js';
import type { Plan } from '../plan/plan.js';
import { layerHessians, type LayerHessian } from '../reconstruct/hessians.js';
import { measureDrift, typicalDrift } from '../statistics/drift.js';
import { maskedGrouping } from '../statistics/masked-weights.js';
import { Measurement } from '../statistics/measure.js';

export interface ImportanceOptions extends Pick<
  ScoreOptions,
  'aggregation' | 'normalization' | 'seed' | 'signal' | 'onGroup'
> {
  readonly criterion: Criterion;
  /** Sums the weights beforehand, for criteria that take sums. Default: they are summed one by one. */
  readonly weightSums?: SumsMaker | undefined;
  readonly data?: DataSource | undefined;
  /** Default: cross-entropy with labels, else with the model's own decisions. */
  readonly loss?: LossSpec | undefined;
  readonly onBatch?: ((examples: number) => void) | undefined;
  /** Groups whose channels are sorted by what removing them costs, by id: their ranks are known. */
  readonly losses?: ReadonlyMap<string, Float64Array> | undefined;
}

/** Measured without gradients. */
const withoutGradients = ['hessians', 'drift', 'basisLosses'] as const satisfies readonly DataNeed[];

/** Scores the channels of a model again and again while a plan grows. To be released. */
export class Importance {
  private readonly measurement: Measurement | undefined;
  private whole: GroupScores | undefined;
  private measured: ReadonlyMap<PruningGroup, readonly LayerHessian[]> = new Map();
  /** By group: of the model as it is, since what goes from step to step changes variances too. */
  private drift: ReadonlyMap<string, readonly MemberDrift[]> | undefined;

  /** @throws PruneError `invalid-option` for a criterion that needs data where there is none. */
  constructor(
    private readonly analysis: Analysis,
    private readonly options: ImportanceOptions,
  ) {
    const { criterion, data, signal, onBatch } = options;
    const needs = criterion.needs.filter((need): need is DataNeed =>
      (dataNeeds as readonly string[]).includes(need),
    );
    if (needs.length === 0) return;
    if (!data)
      throw new PruneError(
        'invalid-option',
        `criterion '${criterion.name}' is measured on data; give data, or use magnitude`,
      );
    const loss = resolveLoss(options.loss ?? (data.labelled ? 'cross-entropy' : 'pseudo-labels'));
    const { grouping, runtime } = analysis;
    const others = needs.filter((need) => !(withoutGradients as readonly string[]).includes(need));
    if (others.length > 0)
      this.measurement = new Measurement(grouping, others, { runtime, data, loss, signal, onBatch });
  }

  /** Scores of what a plan leaves; channels that are gone come last. Those of the whole model are measured once. */
  async score(plan: Plan): Promise<GroupScores> {
    if (plan.kept.size > 0) return this.scoreOf(plan);
    return (this.whole ??= await this.scoreOf(plan));
  }

  /** How the layers were measured that read each group's channels, in the whole model; empty before `score`. */
  get hessians(): ReadonlyMap<PruningGroup, readonly LayerHessian[]> {
    return this.measured;
  }

  private async scoreOf(plan: Plan): Promise<GroupScores> {
    const { grouping } = this.analysis;
    const masked = maskedGrouping(grouping, plan);
    const original = new Map<PruningGroup, PruningGroup>(
      masked.groups.map((group, i) => [group, grouping.groups[i]!]),
    );
    const kept = new Map<PruningGroup, Int32Array>();
    for (const [group, own] of original) {
      const channels = plan.kept.get(own);
      if (channels) kept.set(group, channels);
    }
    const measured = await this.measure(masked);
    const sums = await this.sumsOf(masked);
    const scores = scoreGroups(masked, this.options.criterion, { ...this.options, measured, kept, sums });
    return new Map(
      [...scores].map(([group, list]) => [
        original.get(group)!,
        this.options.losses?.has(group.id) ? list.sort().reverse() : list,
      ]),
    );
  }

  private async sumsOf({ groups }: Grouping): Promise<ReadonlyMap<Tensor, LeadingSums> | undefined> {
    const { criterion, weightSums, signal } = this.options;
    if (!weightSums || criterion.power === undefined) return undefined;
    const tensors = new Set(
      groups.flatMap(({ members }) => members.map(({ parameter }) => parameter.source.tensor)),
    );
    return weightSums(
      [...tensors].filter(({ dtype }) => isFloat(dtype)),
      criterion.power,
      signal,
    );
  }

  private async measure(grouping: Grouping): Promise<Map<PruningGroup, Measured> | undefined> {
    const measured = await this.measurement?.measure(grouping);
    const { criterion, data, seed, signal, onBatch, losses } = this.options;
    const [wantsHessians, wantsDrift] = [
      criterion.needs.includes('hessians'),
      criterion.needs.includes('drift'),
    ];
    if (!wantsHessians && !wantsDrift) return measured;
    if (wantsDrift) this.drift ??= await this.measureDrift();
    const { runtime } = this.analysis;
    const { analysis, groups } = grouping;
    const hessians = wantsHessians
      ? await layerHessians({ analysis, groups, runtime, data: data!, seed, signal, onBatch })
      : undefined;
    if (hessians && grouping === this.analysis.grouping) this.measured = hessians;
    return new Map(
      groups.map((group) => [
        group,
        {
          ...measured?.get(group),
          hessians: hessians?.get(group) ?? [],
          drift: this.drift?.get(group.id) ?? [],
          basisLosses: losses?.get(group.id),
        },
      ]),
    );
  }

  private async measureDrift(): Promise<Map<string, readonly MemberDrift[]>> {
    const { grouping, runtime } = this.analysis;
    const { data, signal } = this.options;
    const drift = await measureDrift(grouping, { runtime, data: data!, signal });
    return new Map([...drift].map(([{ id }, members]) => [id, members]));
  }

  /** What a user should know of the data that was measured on. */
  warnings(): string[] {
    const { data } = this.options;
    const few = fewRows([...this.measured.values()].flat(), data?.count);
    const drift = data?.isNoise || !this.drift ? undefined : typicalDrift([...this.drift.values()].flat());
    if (drift === undefined || drift < usualDrift) return few;
    return [
      ...few,
      `half of the channels vary at least ${drift.toFixed(1)} times as much, or as little, on the calibration data as in training; check its preprocessing (mean, std, channel order), or give data that is more like it`,
    ];
  }

  async release(): Promise<void> {
    await this.measurement?.release();
  }
}

/** Rows for each input of a layer below which users are told. */
const fewest = 4;

/** Which layers had too few rows to say what they can do without. */
function fewRows(hessians: readonly LayerHessian[], examples: number | undefined): string[] {
  const few = new Map<string, LayerHessian>();
  for (const hessian of hessians)
    if (hessian.rows < fewest * hessian.channels.length) few.set(hessian.layer.name, hessian);
  const [worst] = [...few.values()].sort((a, b) => a.rows / a.channels.length - b.rows / b.channels.length);
  if (!worst) return [];
  const { layer, rows, channels } = worst;
  const wanted = examples && Math.ceil((examples * fewest * channels.length) / rows);
  const others = few.size > 1 ? ` and ${few.size - 1} more layers` : '';
  const remedy = wanted ? `; ${wanted} examples would do` : '; give more examples';
  return [
    `'${layer.name}'${others} saw few rows (${rows} for ${channels.length} inputs), so that what they can do without is less sure${remedy}`,
  ];
}
