import { analyze, type Analysis } from '../analysis/analyze.js';
import { activationMemory } from '../cost/activations.js';
import { relativeTo, type CostModel, type SizeOf } from '../cost/cost.js';
import { blockedBy, coverage } from '../cost/coverage.js';
import { resolveCriterion } from '../criteria/resolve.js';
import { firstFeeds } from '../data/feeds.js';
import { PruneError, throwIfAborted } from '../errors.js';
import type { PruningGroup } from '../groups/group.js';
import { Importance } from './importance.js';
import { searchByLatency, needsMeasurement } from './latency-search.js';
import type { Model } from '../onnx/model.js';
import type { VerifyLevel } from '../options/proof.js';
import { resolveSettings, type EngineOptions, type PruneSettings } from '../options/resolve.js';
import { planFromFile, planToFile } from '../plan/file.js';
import { keptCount, keptMasks, type Plan } from '../plan/plan.js';
import { reconstruct } from '../reconstruct/reconstruct.js';
import { proveRotation, rotateChannels } from './rotate.js';
import type {
  Change,
  GroupOutcome,
  LatencyOutcome,
  PruneReport,
  PruneResult,
  ReconstructionReport,
} from './result.js';
import { rewriteModel, type RewriteResult } from '../rewrite/rewrite.js';
import { probeProvider } from '../runtime/probe.js';
import { intersect, scheduleOf, targetAt } from '../schedule/schedule.js';
import { costOf, limitsOf, meets, type BudgetOption } from '../select/budget.js';
import { selectKnapsack } from '../select/knapsack.js';
import { select, type Selection } from '../select/select.js';
import { variedShapes } from '../shapes/vary.js';
import { proveDepth, pruneDepth } from './depth.js';
import { combineReports } from '../verify/combine.js';
import type { VerifyReport } from '../verify/report.js';
import { verify } from '../verify/verify.js';

/** Weights of a model that is still run whole for its proof, where nothing else is asked for. */
const maxWholeBytes = 2 ** 30;

type Options = PruneSettings & {
  /** By group: what removing channels costs, where it is known beforehand. */
  readonly losses?: ReadonlyMap<string, Float64Array> | undefined;
};

/**
 * The steps of pruning, in order; the only place that sees all rooms.
 * @throws PruneError `invalid-option`, `budget`, `nothing-to-prune`, `runtime`, `verification` (the proof failed), `aborted`.
 */
export async function prunePipeline(model: Model, given: EngineOptions): Promise<PruneResult> {
  const options: Options = resolveSettings(given);
  const { signal } = options;
  const milliseconds: Record<string, number> = {};
  const timed = async <T>(phase: string, work: () => T | Promise<T>): Promise<T> => {
    throwIfAborted(signal);
    const start = performance.now();
    const result = await work();
    milliseconds[phase] = (milliseconds[phase] ?? 0) + performance.now() - start;
    return result;
  };
  await probeProvider(options.runtime, options.provider);
  const dense = await analyze(model, options);
  Object.assign(milliseconds, dense.timings);
  const shortening = await timed('depth', () => pruneDepth(dense, options));
  const shortened = shortening?.analysis ?? dense;
  const rotation = await timed('rotation', () => rotateChannels(shortened, options));
  const analysis = rotation?.analysis ?? shortened;

  const { choice, latency } = await timed('select', () =>
    choosePlan(analysis, shortening && dense.cost, { ...options, losses: rotation?.losses }),
  );
  const isSliced = choice.plan.kept.size > 0;
  const reconstruction =
    options.reconstruct && isSliced
      ? await timed('reconstruct', () => reconstructed(analysis, choice.plan, options))
      : undefined;
  const source = reconstruction?.source ?? { analysis, plan: choice.plan };
  const rewritten = await timed('rewrite', () => rewrite(source, options));
  const level = options.verify ?? (analysis.cost.bytes() > maxWholeBytes ? 'sample' : 'outputs');
  const proof =
    level === 'none'
      ? undefined
      : await timed('verify', async () => {
          const proofs: VerifyReport[] = [];
          if (shortening) {
            const shortModel = isSliced ? shortened.canonical.restore(shortened.model) : rewritten.model;
            const settings = { level, data: options.verifyData, ...proofSettings(options) };
            proofs.push(passed(await proveDepth(shortening, shortModel, settings)));
          }
          if (rotation && isSliced && level !== 'shapes')
            proofs.push(passed(await proveRotation(rotation, options)));
          if (isSliced || !shortening) proofs.push(await prove(source, rewritten.model, level, options));
          return combineReports(...proofs);
        });

  return {
    model: rewritten.model,
    plan: choice.plan,
    planFile: (sha256) =>
      planToFile(analysis.grouping, choice.plan, {
        sha256,
        graph: dense.canonical.restore(dense.model).graph,
        branches: shortening?.planned ?? [],
        weightsChanged: reconstruction !== undefined,
        bases: [...(rotation?.losses.keys() ?? [])],
        addedNodes: rewritten.nodes.added,
        removedNodes: [...(shortening?.removedNodes ?? []), ...rewritten.nodes.removed],
      }),
    analysis,
    report: {
      ...describe(analysis, dense, choice, latency, reconstruction?.report, proof, milliseconds),
      depth: shortening?.report,
      rotated: analysis.grouping.groups.filter(({ id }) => rotation?.losses.has(id)).map(({ name }) => name),
    },
  };
}

/** What is kept, and for each group why it lost less than asked for. */
interface Choice {
  readonly plan: Plan;
  readonly notes: ReadonlyMap<PruningGroup, string>;
  /** Undefined for a plan that was given. */
  readonly selection?: Selection;
  readonly warnings?: readonly string[];
}

/**
 * By measurement where the options ask for it; nothing if they are about depth alone.
 * @param dense costs that budgets are shares of; undefined: those of the analysed model
 */
async function choosePlan(
  analysis: Analysis,
  dense: CostModel | undefined,
  options: Options,
): Promise<{ choice: Choice; latency?: LatencyOutcome }> {
  const { ratio, budget, plan } = options;
  const isWhole = ratio === undefined && budget === undefined && plan === undefined;
  if (isWhole) return { choice: { plan: { kept: new Map() }, notes: new Map() } };
  const cost = dense ? relativeTo(dense, analysis.cost) : analysis.cost;
  const selection = dense && budget && selectWhole(cost, budget);
  if (selection) return { choice: { plan: selection.plan, notes: new Map(), selection } };
  if (plan !== undefined)
    return { choice: { plan: planFromFile(plan, analysis.grouping), notes: new Map() } };
  // One for all plans that are tried: the whole model is measured once.
  const importance = importanceOf(analysis, options);
  try {
    if (!needsMeasurement(options))
      return { choice: await choose({ ...analysis, cost }, options, importance) };
    return await searchByLatency(analysis, options, {
      choose: (priced, own) => choose(priced, own, importance),
      build: async (plan) => (await rewrite({ analysis, plan }, options)).model,
      withPlan: (choice, plan, undone) => {
        const notes = new Map(choice.notes);
        for (const group of undone) notes.set(group, 'cutting it saved no time');
        const count = keptCount(plan);
        const budgets = choice.selection?.budgets
          .filter(({ measure }) => measure !== 'latency')
          .map((budget) => ({ ...budget, reached: costOf(cost, budget.measure, count) }));
        const selection = choice.selection && { ...choice.selection, budgets: budgets ?? [] };
        return { ...choice, plan, notes, ...(selection && { selection }) };
      },
    });
  } finally {
    await importance.release();
  }
}

/** Every channel, where that already is within the budget; else undefined. */
function selectWhole(cost: CostModel, budget: BudgetOption): Selection | undefined {
  const limits = limitsOf(budget, cost);
  const whole: SizeOf = ({ size }) => size;
  if (!meets(cost, limits, whole)) return undefined;
  const budgets = limits.map((limit) => ({
    ...limit,
    reached: costOf(cost, limit.measure, whole),
    nextAbove: undefined,
  }));
  return { plan: { kept: new Map() }, groups: [], ratio: 0, budgets };
}

function importanceOf(analysis: Analysis, options: Options): Importance {
  const { data, loss, aggregation, normalization, seed, signal, losses, weightSums, onProgress } = options;
  const progress = (detail?: string) => (done: number, total?: number) =>
    onProgress?.({ phase: 'score', done, total: total ?? done, ...(detail !== undefined && { detail }) });
  return new Importance(analysis, {
    criterion: resolveCriterion(options.criterion),
    ...{ weightSums, data, loss, aggregation, normalization, seed, signal, losses },
    onGroup: progress(),
    onBatch: progress('examples'),
  });
}

async function choose(analysis: Analysis, options: Options, importance: Importance): Promise<Choice> {
  const { grouping, cost } = analysis;
  const shares = scheduleOf(options.steps, options.schedule);
  const method = options.select === 'knapsack' ? selectKnapsack : select;
  let plan: Plan = { kept: new Map() };
  let selection: Selection | undefined;
  for (const share of shares) {
    throwIfAborted(options.signal);
    const scores = await importance.score(plan);
    try {
      selection = await method(grouping, cost, scores, targetAt(options, share, cost));
    } catch (error) {
      // The first steps may be smaller than one channel.
      if (share < 1 && error instanceof PruneError && error.code === 'nothing-to-prune') continue;
      throw error;
    }
    plan = intersect(selection.plan, plan);
  }
  if (!selection) throw new PruneError('internal', 'no step selected anything; report this');
  selection = { ...selection, plan };
  const notes = new Map<PruningGroup, string>();
  for (const { group, reason } of selection.groups) if (reason !== undefined) notes.set(group, reason);
  return { plan: selection.plan, notes, selection, warnings: importance.warnings() };
}

/** What is sliced: the dense model, or the same with other weights. */
interface Source {
  readonly analysis: Analysis;
  readonly plan: Plan;
  /** Default: that of the analysis. */
  readonly model?: Model;
}

async function reconstructed(
  analysis: Analysis,
  plan: Plan,
  options: Options,
): Promise<{ readonly source: Source; readonly report: ReconstructionReport }> {
  const { data, seed, signal, onProgress } = options;
  if (!data) throw new PruneError('internal', 'reconstruction was planned without data; report this');
  const { model, axes, shapes, runtime } = analysis;
  const { repair, layers, left, ...result } = await reconstruct({
    seed,
    ...options.reconstruct,
    analysis: axes,
    masks: keptMasks(plan),
    model,
    shapes,
    runtime,
    data,
    signal,
    onProgress: (done, total, detail) => onProgress?.({ phase: 'reconstruct', done, total, detail }),
  });
  const report = { repair, data: data.description, layers, left };
  if (!result.addedBiases) return { source: { analysis, plan, model: result.model }, report };
  // Groups keep their ids: a new bias shares its axis with the weight before it.
  const again = await analyze(analysis.canonical.restore(result.model), options);
  const byId = new Map(again.grouping.groups.map((group) => [group.id, group]));
  const kept = new Map([...plan.kept].map(([{ id }, indices]) => [byId.get(id)!, indices]));
  return { source: { analysis: again, plan: { kept } }, report };
}

async function rewrite(
  { analysis, plan, model = analysis.model }: Source,
  { signal, onProgress }: Options,
): Promise<RewriteResult> {
  const { axes, shapes, runtime } = analysis;
  onProgress?.({ phase: 'rewrite', done: 0, total: 1 });
  const rewritten = await rewriteModel({
    analysis: axes,
    masks: keptMasks(plan),
    model,
    shapeOf: (value) => shapes.of(value),
    variedShapeOf: async () => {
      const varied = await variedShapes(analysis.model, shapes, runtime, signal);
      return varied && ((value) => varied.of(value));
    },
    runtime,
  });
  return { ...rewritten, model: analysis.canonical.restore(rewritten.model) };
}

async function prove(
  { analysis, plan, model = analysis.model }: Source,
  pruned: Model,
  level: Exclude<VerifyLevel, 'none'>,
  options: Options,
): Promise<VerifyReport> {
  const { axes, shapes, runtime, canonical } = analysis;
  const { verifyData } = options;
  return passed(
    await verify({
      analysis: axes,
      masks: keptMasks(plan),
      dense: model,
      pruned: canonical.canonicalize(pruned),
      folded: canonical.hasBodies ? { pruned, fold: canonical.restore } : undefined,
      shapes,
      level,
      runtime,
      feeds: verifyData && (await firstFeeds(verifyData)),
      ...proofSettings(options),
    }),
  );
}

function proofSettings({ seed, signal, onProgress }: Options) {
  return {
    seed,
    signal,
    onProgress: (done: number, total: number, detail: string): void =>
      onProgress?.({ phase: 'verify', done, total, detail }),
  };
}

/** @throws PruneError `verification` */
function passed(report: VerifyReport): VerifyReport {
  if (report.passed) return report;
  throw new PruneError(
    'verification',
    `the pruned model failed the proof: ${report.failure?.message}; please report this model`,
  );
}

function describe(
  { grouping, cost, shapes }: Analysis,
  dense: Analysis,
  { plan, notes, selection, warnings = [] }: Choice,
  latency: LatencyOutcome | undefined,
  reconstruction: ReconstructionReport | undefined,
  verification: VerifyReport | undefined,
  timings: Readonly<Record<string, number>>,
): Omit<PruneReport, 'depth' | 'rotated'> {
  const count = keptCount(plan);
  const change = (measure: 'macs' | 'parameters' | 'bytes'): Change => ({
    dense: dense.cost[measure](),
    pruned: cost[measure](count),
  });
  return {
    groups: grouping.groups.map((group): GroupOutcome => {
      const { id, name, size } = group;
      return { id, name, size, kept: plan.kept.get(group)?.length ?? size, note: notes.get(group) };
    }),
    macs: change('macs'),
    parameters: change('parameters'),
    bytes: change('bytes'),
    activations: {
      dense: activationMemory(dense.grouping, dense.cost, dense.shapes)(),
      pruned: activationMemory(grouping, cost, shapes)(count),
    },
    budgets: selection?.budgets ?? [],
    knapsack: selection?.knapsack,
    latency,
    coverage: {
      all: coverage(grouping, cost),
      withoutResidualStream: coverage(grouping, cost, { residualStream: false }),
    },
    blockers: blockedBy(grouping, cost).slice(0, 10),
    reconstruction,
    verification,
    warnings: [
      ...shapes.unknownOps.map(
        ({ node, op }) => `onnxruntime doesn't know op ${op} of node '${node}'; it was left out of the proof`,
      ),
      ...warnings,
    ],
    timings,
  };
}
