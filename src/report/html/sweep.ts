import type { EChartsOption } from 'echarts';
import { paretoFront, qualityOf, targetText, type CellResult, type SweepResult } from '../../sweep/cells.js';
import { sweepRows } from '../sweep.js';
import { escape, htmlPage, htmlTable, type Section } from './page.js';

/** By way of choosing; told apart on white and on black. */
const colours = ['#2563eb', '#f59e0b', '#10b981', '#ec4899', '#8b5cf6', '#06b6d4', '#ef4444', '#84cc16'];

/** A sweep as one self-contained page: quality against costs, and the table. */
export function sweepHtml(sweep: SweepResult, library: string): string {
  const { model, cells, denseAccuracy } = sweep;
  const failed = cells.filter(({ error }) => error !== undefined);
  const hasLatency = cells.some(({ latency }) => latency !== undefined);
  const sections: (Section | undefined)[] = [
    {
      title: `${qualityName(cells)} against MACs`,
      wide: !hasLatency,
      chart: { option: paretoChart(cells, 'MACs', ({ macs }) => macs, denseAccuracy), height: 'long' },
    },
    hasLatency
      ? {
          title: `${qualityName(cells)} against latency`,
          chart: {
            option: paretoChart(cells, 'latency', ({ latency }) => latency, denseAccuracy),
            height: 'long',
          },
        }
      : undefined,
    ...sensitivitySections(cells),
    { title: 'Cells', wide: true, body: htmlTable(sweepRows(sweep), new Set([1])) },
    failed.length > 0
      ? {
          title: 'Failed',
          wide: true,
          body: `<ul>${failed.map(({ cell, error }) => `<li>${escape(`${cell.criterion} at ${targetText(cell)}: ${error}`)}</li>`).join('')}</ul>`,
        }
      : undefined,
  ];
  return htmlPage(
    {
      title: `${model}, swept`,
      subtitle: `${cells.length} ways of pruning it, by onnx-prune`,
      sections: sections.filter((section) => section !== undefined),
    },
    library,
  );
}

/** How quality falls as more is removed, where there are several ratios: one line for each way of choosing. */
function sensitivitySections(cells: readonly CellResult[]): Section[] {
  const ratioOf = ({ cell: { target } }: CellResult): number | undefined =>
    'ratio' in target ? target.ratio : undefined;
  const ratios = new Set(cells.map(ratioOf).filter((ratio) => ratio !== undefined));
  if (ratios.size < 2) return [];
  const name = qualityName(cells);
  const isError = name === 'Output error';
  const option: EChartsOption = {
    color: colours,
    tooltip: { trigger: 'axis', confine: true },
    legend: { top: 0, type: 'scroll' },
    grid: { left: 8, right: 24, top: 40, bottom: 36, containLabel: true },
    xAxis: { type: 'value', name: 'ratio, % of channels', nameLocation: 'middle', nameGap: 26, scale: true },
    yAxis: { type: 'value', scale: true, axisLabel: { formatter: isError ? '{value}' : '{value} %' } },
    series: [...byMethod(cells)].map(([label, results]) => ({
      name: label,
      type: 'line' as const,
      symbolSize: 8,
      data: results
        .flatMap((result): [number, number][] => {
          const [ratio, quality] = [ratioOf(result), shownQuality(result, isError)];
          return ratio === undefined || quality === undefined ? [] : [[100 * ratio, quality]];
        })
        .sort((a, b) => a[0] - b[0]),
    })),
  };
  return [{ title: `Sensitivity: ${name.toLowerCase()} against the ratio`, wide: true, chart: { option } }];
}

/** Results by criterion and whether the rest was reconstructed. */
function byMethod(cells: readonly CellResult[]): Map<string, CellResult[]> {
  const series = new Map<string, CellResult[]>();
  for (const result of cells) {
    const label = `${result.cell.criterion}${result.cell.reconstruct ? ', reconstructed' : ''}`;
    series.set(label, [...(series.get(label) ?? []), result]);
  }
  return series;
}

/** In percent, or an error as it is; undefined for a failed cell. */
function shownQuality(result: CellResult, isError: boolean): number | undefined {
  const quality = qualityOf(result);
  if (result.error !== undefined || quality === undefined) return undefined;
  return Number((isError ? -quality : 100 * quality).toPrecision(5));
}

function qualityName(cells: readonly CellResult[]): string {
  if (cells.some(({ accuracy }) => accuracy !== undefined)) return 'Top-1';
  return cells.some(({ agreement }) => agreement !== undefined)
    ? 'Agreement with the dense model'
    : 'Output error';
}

/** One series of points for each criterion, and a line along those that nothing beats. */
function paretoChart(
  cells: readonly CellResult[],
  name: string,
  cost: (result: CellResult) => number | undefined,
  denseAccuracy: number | undefined,
): EChartsOption {
  const isError = qualityName(cells) === 'Output error';
  const point = (result: CellResult): { name: string; value: [number, number] }[] => {
    const [quality, price] = [shownQuality(result, isError), cost(result)];
    if (quality === undefined || price === undefined) return [];
    return [{ name: targetText(result.cell), value: [Number((100 * price).toPrecision(5)), quality] }];
  };
  const dense =
    denseAccuracy === undefined
      ? []
      : [{ name: 'dense', value: [100, Number((100 * denseAccuracy).toPrecision(5))] as [number, number] }];
  // A smaller model can be slower than the dense one.
  const isWorse = ({ value: [price, quality] }: { readonly value: readonly [number, number] }): boolean =>
    dense.some(({ value }) => price >= value[0] && quality <= value[1]);
  const front = [...paretoFront(cells, cost)].flatMap(point).filter((own) => !isWorse(own));
  const dearest = Math.max(100, ...cells.map((result) => 100 * (cost(result) ?? 0)));
  return {
    color: colours,
    tooltip: { trigger: 'item', confine: true, formatter: '{a}, {b}: {c}' },
    legend: { top: 0, type: 'scroll' },
    grid: { left: 8, right: 24, top: 40, bottom: 36, containLabel: true },
    xAxis: {
      type: 'value',
      name: `${name}, % of dense`,
      nameLocation: 'middle',
      nameGap: 26,
      min: 0,
      max: 20 * Math.ceil(dearest / 20),
    },
    yAxis: { type: 'value', scale: true, axisLabel: { formatter: isError ? '{value}' : '{value} %' } },
    series: [
      ...[...byMethod(cells)].map(([label, results]) => ({
        name: label,
        type: 'scatter' as const,
        symbolSize: 11,
        data: results.flatMap(point),
      })),
      {
        name: 'best',
        type: 'line',
        data: [...front, ...dense].sort((a, b) => a.value[0] - b.value[0]),
        lineStyle: { type: 'dashed', opacity: 0.6, color: '#94a3b8' },
        itemStyle: { color: '#94a3b8' },
        symbol: 'none',
        z: 1,
      },
      ...(dense.length > 0
        ? [
            {
              name: 'dense',
              type: 'scatter' as const,
              symbol: 'diamond',
              symbolSize: 13,
              data: dense,
              itemStyle: { color: '#94a3b8' },
            },
          ]
        : []),
    ],
  };
}
