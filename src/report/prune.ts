import type { BenchResult } from '../bench/result.js';
import type { EvaluateResult } from '../evaluate/evaluate.js';
import type { Flip } from '../evaluate/difference.js';
import type { Robustness } from '../evaluate/robustness.js';
import type {
  Change,
  DepthReport,
  GroupOutcome,
  LatencyOutcome,
  PlanTrial,
  PruneReport,
  ReconstructionReport,
} from '../pipeline/result.js';
import type { BudgetOutcome } from '../select/budget.js';
import type { KnapsackOutcome } from '../select/select.js';
import { proofLines } from './proof.js';
import { blockerLines } from './advice.js';
import { coverageText } from './inspect.js';
import { formatBytes, formatCount, formatMilliseconds, formatShare, plural } from './numbers.js';
import { alignColumns, alignLabels } from './table.js';
import { trainingLine } from './training.js';

/** What the command knows besides the report. */
export interface PruneOutcome {
  readonly source: string;
  /** Undefined for a dry run. */
  readonly written: { readonly path: string; readonly bytes: number } | undefined;
  readonly report: PruneReport;
  readonly bench?: BenchResult | undefined;
  /** What the dense and the pruned model do on the same data. */
  readonly evaluation?: { readonly dense: EvaluateResult; readonly pruned: EvaluateResult } | undefined;
  /** Top-1 of both models on labelled images, clean and corrupted. */
  readonly robustness?: Robustness | undefined;
  /** Wall time of everything, milliseconds. */
  readonly milliseconds: number;
}

/** Below this share of the parameters the report says what holds pruning back. */
const lowCoverage = 0.95;

/** What a repair is called in front of what it did. */
const repairLabels = {
  weights: 'reconstructed',
  statistics: 'statistics kept',
  'mean-to-bias': 'means to bias',
} as const;

/** Phases that take a smaller share of the time are not listed. */
const notable = 0.05;

/** Reasons and warnings that are listed. */
const listed = 3;

/** The table that `prune` prints. */
export function pruneText(outcome: PruneOutcome): string {
  const { report } = outcome;
  const facts: [string, string][] = [
    ...(report.depth ? ([['depth', depthText(report.depth)]] as [string, string][]) : []),
    ['groups', groupsText(report.groups)],
    ['coverage', coverageText(report.coverage)],
    ...report.budgets.map((budget): [string, string] => ['budget', budgetText(budget)]),
    ...(report.latency ? ([['latency', latencyText(report.latency)]] as [string, string][]) : []),
    ...(report.knapsack ? ([['knapsack', knapsackText(report.knapsack)]] as [string, string][]) : []),
    ...(report.trials.length > 0 ? ([['tried', trialsText(report.trials)]] as [string, string][]) : []),
    ...(report.rotated.length > 0 ? ([['rotated', rotatedText(report)]] as [string, string][]) : []),
    ...(report.reconstruction
      ? ([[repairLabels[report.reconstruction.repair], reconstructionText(report.reconstruction)]] as [
          string,
          string,
        ][])
      : []),
    ...proofLines(report.verification),
    ...(report.sparsification ? ([['pruned while training', trainingLine(report.sparsification)]] as [string, string][]) : []), // prettier-ignore
    ...(report.training ? ([['distilled', trainingLine(report.training)]] as [string, string][]) : []),
    [
      'written',
      outcome.written ? `${outcome.written.path} (${formatBytes(outcome.written.bytes)})` : 'nothing',
    ],
    ['time', timeText(outcome)],
  ];
  const flips = outcome.evaluation?.pruned.flips;
  if (flips && flips.length > 0)
    facts.splice(-2, 0, ['flips', flipsText(flips, outcome.evaluation.pruned.examples)]);
  const warnings = report.warnings.slice(0, listed).map((warning) => `warning: ${warning}`);
  const rest = report.warnings.length - warnings.length;
  if (rest > 0) warnings.push(`warning: and ${rest} more; see --json`);
  return [
    ...alignColumns(costRows(outcome)),
    '',
    ...alignLabels(facts),
    ...leftText(report),
    ...warnings,
    '',
  ].join('\n');
}

/** Costs, accuracy and latency before and after, with a head. */
export function costRows({ source, report, bench, evaluation }: PruneOutcome): string[][] {
  const row = (name: string, { dense, pruned }: Change, format: (value: number) => string): string[] => [
    name,
    format(dense),
    format(pruned),
    dense > 0 ? `-${formatShare(1 - pruned / dense)}` : '',
  ];
  const rows = [
    [source, 'dense', 'pruned', 'change'],
    row('MACs', report.macs, formatCount),
    row('parameters', report.parameters, formatCount),
    row('weight bytes', report.bytes, formatBytes),
    row('activations (estimate)', report.activations, formatBytes),
  ];
  if (evaluation) rows.push(...accuracyRows(evaluation.dense, evaluation.pruned));
  if (bench) rows.push(latencyRow(bench));
  return rows;
}

function accuracyRows(dense: EvaluateResult, pruned: EvaluateResult): string[][] {
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const { agreement } = pruned;
  const rows: string[][] = [];
  if (dense.accuracy && pruned.accuracy) {
    const points = 100 * (pruned.accuracy.top1 - dense.accuracy.top1);
    const change = `${points > 0 ? '+' : ''}${points.toFixed(2)} pp`;
    rows.push(['top-1', percent(dense.accuracy.top1), percent(pruned.accuracy.top1), change]);
  }
  if (agreement) rows.push(['same class', '', percent(agreement.share), '']);
  return rows;
}

/** `12 of 1000 examples changed class: 7 were right before, 3 are right now, 2 are wrong both times`. */
export function flipsText(flips: readonly Flip[], examples: number): string {
  const changed = `${flips.length} of ${plural(examples, 'example')} changed class`;
  const labelled = flips.filter(({ label }) => label !== undefined);
  if (labelled.length === 0) return changed;
  const lost = labelled.filter(({ label, reference }) => label === reference).length;
  const won = labelled.filter(({ label, predicted }) => label === predicted).length;
  return `${changed}: ${lost} were right before, ${won} are right now, ${labelled.length - lost - won} are wrong both times`;
}

function latencyRow({ models, comparisons, provider }: BenchResult): string[] {
  const [dense, pruned] = models;
  const { speedup, interval } = comparisons[0]!;
  return [
    `latency (${provider}, median)`,
    formatMilliseconds(dense!.median),
    formatMilliseconds(pruned!.median),
    `${speedup.toFixed(2)}x (${interval[0].toFixed(2)} to ${interval[1].toFixed(2)})`,
  ];
}

/** A plan nearer to its limit than this needs no explanation. */
const nearLimit = 0.995;

/** `macs=50%: 49.9 %`, and what the next step up would cost where it lies further below. */
export function budgetText({ text, dense, limit, reached, nextAbove }: BudgetOutcome): string {
  const share = (cost: number): string => `${((100 * cost) / dense).toFixed(2)} %`;
  const next =
    reached < nearLimit * limit && nextAbove !== undefined
      ? `; the next step above is ${share(nextAbove)}`
      : '';
  return `${text}: ${share(reached)} of dense${next}`;
}

/** What was predicted and measured of the dense latency, and what it took. */
export function latencyText(outcome: LatencyOutcome): string {
  const { provider, roundTo, wanted, predicted, measured, interval, attempts, undone } = outcome;
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  return [
    `${percent(measured)} of dense on ${provider} (${percent(interval[0])} to ${percent(interval[1])})`,
    ...(wanted === undefined ? [] : [`${percent(wanted)} wanted`]),
    `${percent(predicted)} predicted`,
    `${plural(attempts, 'plan')} timed`,
    `channels in multiples of ${roundTo}`,
    ...(undone.length > 0 ? [`${plural(undone.length, 'group')} left whole as cutting saved no time`] : []),
  ].join(', ');
}

const shares: Readonly<Record<PlanTrial['name'], string>> = {
  scaled: 'losses at the output',
  near: 'these with bounds',
  layers: 'losses of layers',
  uniform: 'one share for all',
};

/** What came of the plans that were tried whole. */
export function trialsText(trials: readonly PlanTrial[]): string {
  const text = trials.map(({ name, error }) => `${shares[name]} ${error.toPrecision(3)}`).join(', ');
  const taken = trials.find(({ chosen }) => chosen);
  return `error at the output by ${text}${taken ? `; took ${shares[taken.name]}` : ''}`;
}

/** What a knapsack retains against its bound. */
export function knapsackText({ solver, retained, bound, gap }: KnapsackOutcome): string {
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  return `${solver} keeps ${percent(retained)} of the importance; no plan keeps more than ${percent(bound)} (gap ${percent(gap)})`;
}

/** One line: how many residual branches are gone, by what measure, and which. */
export function depthText({ branches, measure, unit, data }: DepthReport): string {
  const removed = branches.filter((branch) => branch.removed).map(({ name }) => name);
  const more = removed.length > listed ? ` and ${removed.length - listed} more` : '';
  const by = measure === undefined ? '' : ` by ${measure}${unit === 'block' ? ' of blocks' : ''} on ${data}`;
  return `${removed.length} of ${branches.length} residual branches removed${by}: ${removed.slice(0, listed).join(', ')}${more}`;
}

/** The whole time, and the phases that take most of it. */
export function timeText({ milliseconds, report: { timings } }: PruneOutcome): string {
  const phases = Object.entries(timings)
    .filter(([, time]) => time > notable * milliseconds)
    .sort(([, a], [, b]) => b - a)
    .map(([phase, time]) => `${phase} ${formatShare(time / milliseconds)}`);
  const total = formatMilliseconds(milliseconds);
  return phases.length > 0 ? `${total}: ${phases.join(', ')}` : total;
}

function groupsText(groups: readonly GroupOutcome[]): string {
  const cut = groups.filter(({ kept, size }) => kept < size).length;
  return `${cut} of ${groups.length} pruned`;
}

function rotatedText({ rotated }: PruneReport): string {
  return `the channels of ${plural(rotated.length, 'group')}, so that fewer of them matter`;
}

/** One line: how many layers on what, and how far the mean output error of a layer fell. */
export function reconstructionText({ layers, data }: ReconstructionReport): string {
  if (layers.length === 0) return 'no layer had to be';
  const mean = (errors: readonly number[]): string =>
    formatShare(errors.reduce((sum, error) => sum + error, 0) / errors.length);
  const fall = `${mean(layers.map(({ before }) => before))} to ${mean(layers.map(({ after }) => after))}`;
  const harder = layers.filter(({ damping }) => damping > layers[0]!.damping).length;
  const damped = harder > 0 ? `; ${harder} needed more damping` : '';
  return `${plural(layers.length, 'layer')}, mean output error ${fall}${damped}, on ${data}`;
}

/** What was left whole and what blocks the rest, where that matters. */
function leftText({ groups, coverage, blockers }: PruneReport): string[] {
  const lines: string[] = [];
  const byNote = new Map<string, GroupOutcome[]>();
  for (const group of groups) {
    if (group.note === undefined || group.kept < group.size) continue;
    byNote.set(group.note, [...(byNote.get(group.note) ?? []), group]);
  }
  if (byNote.size > 0) lines.push('', 'left whole:');
  for (const [note, whole] of byNote) {
    const names = whole.slice(0, 2).map(({ name }) => name);
    const more = whole.length > names.length ? ` and ${whole.length - names.length} more` : '';
    lines.push(`  ${names.join(', ')}${more}: ${note}`);
  }
  if (coverage.all.parameters < lowCoverage && blockers.length > 0) {
    lines.push('', 'held back (parameters, where, why, remedy):');
    for (const line of blockerLines(blockers, listed)) lines.push(`  ${line}`);
  }
  return lines;
}
