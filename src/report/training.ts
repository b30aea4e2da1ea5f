import type { TrainingReport } from '../training/report.js';
import { formatCount, plural } from './numbers.js';
import { alignLabels } from './table.js';

/** One line: what was minimised, before and after, on how much. */
export function trainingLine({
  loss,
  before,
  after,
  heldOut,
  examples,
  passes,
  kept,
}: TrainingReport): string {
  const state =
    kept === 0 ? 'nothing was better than the beginning' : `pass ${kept} of ${passes.length} kept`;
  return `${loss}: ${before.toPrecision(3)} -> ${after.toPrecision(3)} on ${plural(heldOut, 'held-out example')}; ${plural(examples, 'example')} trained on, ${state}`;
}

/** What `prune distil` prints. */
export function trainingText(report: TrainingReport, path: string): string {
  const { tensors, parameters, steps, frozen, seconds } = report;
  const facts: [string, string][] = [
    ['trained', trainingLine(report)],
    ['weights', `${formatCount(parameters)} in ${plural(tensors, 'tensor')}, ${plural(steps, 'step')}`],
    ...(frozen.length > 0 ? ([['frozen', `${plural(frozen.length, 'tensor')}: ${frozen[0]!.why}`]] as [string, string][]) : []), // prettier-ignore
    ['written', path],
    ['time', `${seconds.toFixed(0)} s`],
  ];
  return [...alignLabels(facts), ''].join('\n');
}
