import type { Flip } from '../../evaluate/difference.js';
import type { GroupSummary } from '../../analysis/inspect.js';
import { blockerLines } from '../advice.js';
import { coverageText } from '../inspect.js';
import { formatMilliseconds } from '../numbers.js';
import { proofLines } from '../proof.js';
import {
  budgetText,
  costRows,
  depthText,
  flipsText,
  knapsackText,
  latencyText,
  type PruneOutcome,
} from '../prune.js';
import { flipsChart, robustnessChart } from './accuracy.js';
import { costChart, groupsChart, latencyChart } from './charts.js';
import { couplingChart } from './coupling.js';
import { escape, htmlPage, htmlTable, type Section } from './page.js';

/** Reasons that are listed. */
const reasons = 25;

/** Examples that are listed. */
const listedFlips = 100;

/**
 * What `prune` did as one self-contained page: costs, channels by group, how the groups hang together, what held
 * pruning back, and latencies and accuracy where they were measured.
 * @param library the text of echarts' minified build
 */
export function pruneHtml(outcome: PruneOutcome, groups: readonly GroupSummary[], library: string): string {
  const { source, report, bench } = outcome;
  const coupling = couplingChart(groups, report.groups);
  const blockers = blockerLines(report.blockers, reasons);
  const sections: (Section | undefined)[] = [
    { title: 'Summary', wide: true, body: htmlTable(costRows(outcome)) + factsOf(outcome) },
    {
      title: 'Cost',
      chart: {
        option: costChart([
          ['MACs', report.macs],
          ['parameters', report.parameters],
          ['weight bytes', report.bytes],
          ['activations', report.activations],
          // Of paired runs, as in the summary: medians of all runs may tell of the machine's moods.
          ...(bench ? [['latency', { dense: bench.comparisons[0]!.speedup, pruned: 1 }] as const] : []),
        ]),
      },
    },
    bench && { title: `Latency (${bench.provider})`, chart: { option: latencyChart(bench) } },
    ...accuracySections(outcome),
    { title: 'Channels by group', wide: true, chart: { option: groupsChart(report.groups), height: 'long' } },
    {
      title: 'How groups are coupled',
      wide: true,
      body: `<p>Pinch or scroll to zoom, drag to move, hover for names.${coupling.hidden ? ` ${coupling.hidden} links of biases and normalisations are not drawn.` : ''}</p>`,
      chart: { option: coupling.option, height: 'tall' },
    },
    blockers.length > 0
      ? {
          title: 'What held pruning back',
          wide: true,
          body: `<p>Parameters, where, why, and what can be done.</p><ul>${blockers.map((line) => `<li>${escape(line)}</li>`).join('')}</ul>`,
        }
      : undefined,
    { title: 'Groups', wide: true, body: groupTable(outcome) },
  ];
  const removed = report.macs.dense > 0 ? 1 - report.macs.pruned / report.macs.dense : 0;
  return htmlPage(
    {
      title: `${source}, pruned`,
      subtitle: `${(100 * removed).toFixed(1)} % of the MACs removed in ${formatMilliseconds(outcome.milliseconds)} by onnx-prune`,
      sections: sections.filter((section) => section !== undefined),
    },
    library,
  );
}

function factsOf({ report, written }: PruneOutcome): string {
  const proof = proofLines(report.verification).map(([, text]) => text).join('; outputs: '); // prettier-ignore
  const state = report.verification ? (report.verification.passed ? 'passed' : 'failed') : '';
  const lines = [
    `<p>Proof: <span class="${state}">${escape(proof)}</span></p>`,
    ...(report.depth ? [`<p>Depth: ${escape(depthText(report.depth))}</p>`] : []),
    `<p>Coverage: ${escape(coverageText(report.coverage))}</p>`,
    ...report.budgets.map((budget) => `<p>Budget: ${escape(budgetText(budget))}</p>`),
    ...(report.latency ? [`<p>Latency: ${escape(latencyText(report.latency))}</p>`] : []),
    ...(report.knapsack ? [`<p>Knapsack: ${escape(knapsackText(report.knapsack))}</p>`] : []),
    ...(written ? [`<p>Written: ${escape(written.path)}</p>`] : []),
    ...report.warnings.map((warning) => `<p class="failed">Warning: ${escape(warning)}</p>`),
  ];
  return lines.join('');
}

/** What became of single examples, and of both models on worse images. */
function accuracySections({ evaluation, robustness }: PruneOutcome): Section[] {
  const flips = evaluation?.pruned.flips ?? [];
  const sections: Section[] = [];
  if (robustness)
    sections.push({
      title: 'Top-1 on corrupted images',
      body: `<p>The same ${robustness.examples} examples each time.</p>`,
      chart: { option: robustnessChart(robustness) },
    });
  if (flips.length > 0)
    sections.push({
      title: 'Examples that flipped',
      wide: true,
      body: `<p>${escape(flipsText(flips, evaluation!.pruned.examples))}</p>${flipTable(flips)}`,
      ...(flips[0]!.label !== undefined && { chart: { option: flipsChart(flips) } }),
    });
  return sections;
}

function flipTable(flips: readonly Flip[]): string {
  const rows = flips.slice(0, listedFlips).map(({ example, label, reference, predicted }) => {
    const verdict = label === reference ? 'lost' : label === predicted ? 'won' : 'wrong both times';
    return [
      String(example),
      ...(label === undefined ? [] : [String(label)]),
      ...[String(reference), String(predicted)],
      ...(label === undefined ? [] : [verdict]),
    ];
  });
  const labelled = flips[0]!.label !== undefined;
  const head = [
    'example',
    ...(labelled ? ['label'] : []),
    'dense',
    'pruned',
    ...(labelled ? ['outcome'] : []),
  ];
  const title = rows.length < flips.length ? `The first ${rows.length}` : `All ${rows.length}`;
  return `<details><summary>${title}</summary>${htmlTable([head, ...rows])}</details>`;
}

function groupTable({ report }: PruneOutcome): string {
  const rows = report.groups.map(({ id, name, size, kept, note }) => [
    `${id} ${name}`,
    String(size),
    String(kept),
    note ?? '',
  ]);
  const table = htmlTable([['group', 'channels', 'kept', 'note'], ...rows], new Set([3]));
  return `<details><summary>All ${rows.length} groups</summary>${table}</details>`;
}
