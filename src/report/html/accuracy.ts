import type { EChartsOption } from 'echarts';
import type { Flip } from '../../evaluate/difference.js';
import type { Robustness } from '../../evaluate/robustness.js';
import { denseColour, prunedColour } from './charts.js';

/** Top-1 of both models by condition, side by side. */
export function robustnessChart({ rows }: Robustness): EChartsOption {
  const percent = (share: number): number => Number((100 * share).toFixed(2));
  const bars = (name: string, shares: readonly number[], color: string) => ({
    name,
    type: 'bar' as const,
    data: shares.map(percent),
    itemStyle: { color },
    label: { show: true, position: 'top' as const, fontSize: 11 },
  });
  return {
    tooltip: { trigger: 'axis', axisPointer: { type: 'shadow' }, confine: true },
    legend: { top: 0 },
    grid: { left: 8, right: 16, top: 40, bottom: 8, containLabel: true },
    xAxis: { type: 'category', data: rows.map(({ condition }) => condition), axisLabel: { interval: 0 } },
    yAxis: { type: 'value', max: 100, axisLabel: { formatter: '{value} %' } },
    series: [
      bars(
        'dense',
        rows.map(({ dense }) => dense),
        denseColour,
      ),
      bars(
        'pruned',
        rows.map(({ pruned }) => pruned),
        prunedColour,
      ),
    ],
  };
}

/** Examples lost and won by their label: what pruning costs is rarely spread evenly over the classes. */
export function flipsChart(flips: readonly Flip[]): EChartsOption {
  const labels = [...new Set(flips.map(({ label }) => label!))].sort((a, b) => a - b);
  const count = (isCounted: (flip: Flip) => boolean, sign: number): number[] =>
    labels.map((own) => sign * flips.filter((flip) => flip.label === own && isCounted(flip)).length);
  return {
    tooltip: { trigger: 'axis', axisPointer: { type: 'shadow' }, confine: true },
    legend: { top: 0 },
    grid: { left: 8, right: 16, top: 36, bottom: 28, containLabel: true },
    xAxis: {
      type: 'category',
      data: labels.map(String),
      name: 'label',
      nameLocation: 'middle',
      nameGap: 26,
      axisLine: { onZero: false },
    },
    yAxis: { type: 'value', name: 'examples', minInterval: 1 },
    series: [
      {
        name: 'won',
        type: 'bar',
        stack: 'flips',
        data: count(({ label, predicted }) => label === predicted, 1),
        itemStyle: { color: prunedColour },
      },
      {
        name: 'lost',
        type: 'bar',
        stack: 'flips',
        data: count(({ label, reference }) => label === reference, -1),
        itemStyle: { color: denseColour },
      },
    ],
  };
}
