import type { EvaluateResult } from '../evaluate/evaluate.js';
import { formatError } from './numbers.js';
import { alignLabels } from './table.js';

/** Accuracy, agreement and output differences, one a line. */
export function evaluationText(result: EvaluateResult): string {
  const { accuracy, agreement, differences = [], metrics = {} } = result;
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const lines: [string, string][] = [['data', result.data]];
  if (accuracy) {
    const { top1, top5, hits, examples } = accuracy;
    lines.push(['top-1', `${percent(top1)} (${hits} of ${examples})`]);
    if (top5 !== undefined) lines.push(['top-5', percent(top5)]);
  }
  if (agreement) lines.push(['same class', `${percent(agreement.share)} as the reference`]);
  for (const { output, mean, max, relative, nonFinite } of differences) {
    const share = relative === undefined ? '' : `, relative ${formatError(relative)}`;
    const broken = nonFinite ? `, ${nonFinite} not finite` : '';
    lines.push([
      `difference of ${output}`,
      `mean ${formatError(mean)}, max ${formatError(max)}${share}${broken}`,
    ]);
  }
  for (const [name, value] of Object.entries(metrics)) lines.push([name, String(value)]);
  lines.push(['speed', `${Math.round(result.examplesPerSecond)} examples/s on ${result.provider}`]);
  return [...alignLabels(lines), ''].join('\n');
}
