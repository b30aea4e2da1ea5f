import type { EChartsOption } from 'echarts';
import type { BenchResult } from '../../bench/result.js';
import type { Change, GroupOutcome } from '../../pipeline/result.js';

const kept = '#2563eb';
const removed = '#f59e0b';
export const denseColour = removed;
export const prunedColour = kept;
const small = { fontSize: 11 } as const;

/** What is left of each cost, in percent of the dense model. */
export function costChart(changes: readonly (readonly [name: string, change: Change])[]): EChartsOption {
  const names = changes.map(([name]) => name).reverse();
  const shares = changes
    .map(([, { dense, pruned }]) => (dense > 0 ? Number(((100 * pruned) / dense).toFixed(2)) : 100))
    .reverse();
  return {
    tooltip: { trigger: 'axis', axisPointer: { type: 'shadow' }, confine: true },
    legend: { bottom: 0 },
    grid: { left: 8, right: 48, top: 8, bottom: 56, containLabel: true },
    xAxis: { type: 'value', max: 100, interval: 25, axisLabel: { formatter: '{value} %' } },
    yAxis: { type: 'category', data: names },
    series: [
      {
        name: 'left, % of dense',
        type: 'bar',
        stack: 'cost',
        data: shares,
        itemStyle: { color: kept },
        label: { show: true, formatter: '{c} %' },
      },
      {
        name: 'removed',
        type: 'bar',
        stack: 'cost',
        data: shares.map((share) => Number(Math.max(0, 100 - share).toFixed(2))),
        itemStyle: { color: removed, opacity: 0.55 },
      },
    ],
  };
}

/** Groups that are shown at first; the rest by scrolling. */
const shownGroups = 40;

/** Kept and removed channels of each group, in graph order. */
export function groupsChart(groups: readonly GroupOutcome[]): EChartsOption {
  const end = Math.min(100, (100 * shownGroups) / Math.max(1, groups.length));
  return {
    tooltip: { trigger: 'axis', axisPointer: { type: 'shadow' }, confine: true },
    legend: { top: 0 },
    grid: { left: 8, right: 16, top: 36, bottom: 56, containLabel: true },
    dataZoom: [
      { type: 'inside', start: 0, end },
      { type: 'slider', start: 0, end, height: 18, bottom: 6, showDetail: false },
    ],
    xAxis: {
      type: 'category',
      data: groups.map(({ id, name }) => `${id} ${name}`),
      axisLabel: { rotate: 45, ...small, width: 110, overflow: 'truncate' },
    },
    yAxis: { type: 'value', name: 'channels' },
    series: [
      {
        name: 'kept',
        type: 'bar',
        stack: 'channels',
        data: groups.map((group) => group.kept),
        itemStyle: { color: kept },
      },
      {
        name: 'removed',
        type: 'bar',
        stack: 'channels',
        data: groups.map((group) => group.size - group.kept),
        itemStyle: { color: removed },
      },
    ],
  };
}

/** Bars of the histogram of latencies. */
const bins = 40;

/** Upper outer fence (Tukey, "Exploratory Data Analysis", 1977): runs beyond it were disturbed from outside. */
function fence(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const quantile = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return Math.min(sorted.at(-1) ?? 0, quantile(0.75) + 3 * (quantile(0.75) - quantile(0.25)));
}

/** How often each latency was measured, both models on one axis; runs that are far out are not shown. */
export function latencyChart({ models }: BenchResult): EChartsOption {
  const low = models.flatMap(({ samples }) => samples).reduce((a, b) => Math.min(a, b), Infinity);
  const high = Math.max(...models.map(({ samples }) => fence(samples)));
  const width = (high - low) / bins || 1;
  return {
    tooltip: { trigger: 'axis', confine: true },
    legend: { top: 0 },
    grid: { left: 8, right: 24, top: 36, bottom: 32, containLabel: true },
    xAxis: {
      type: 'category',
      data: Array.from({ length: bins }, (_, bin) => (low + (bin + 0.5) * width).toPrecision(3)),
      name: 'ms',
      nameLocation: 'middle',
      nameGap: 26,
    },
    yAxis: { type: 'value', name: 'runs' },
    series: models.map(({ name, samples }, i) => {
      const counts = new Array<number>(bins).fill(0);
      for (const sample of samples)
        if (sample <= high) counts[Math.min(bins - 1, Math.floor((sample - low) / width))]!++;
      return {
        name,
        type: 'bar',
        barGap: '-100%',
        barCategoryGap: '5%',
        data: counts,
        itemStyle: { color: i === 0 ? denseColour : prunedColour, opacity: 0.7 },
      };
    }),
  };
}
