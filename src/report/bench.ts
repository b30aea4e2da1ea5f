import type { BenchResult } from '../bench/result.js';
import { formatBytes, formatMilliseconds, formatShare } from './numbers.js';
import { alignColumns } from './table.js';

/** Median, 90th percentile and spread by model, and how much faster each is than the first. */
export function benchText(result: BenchResult): string {
  const { runtime, provider, placement, threads, inputs, rounds, models, comparisons } = result;
  const leftOut = result.leftOut?.map((op) => `note: timed without ${op}, which onnxruntime doesn't know`) ?? []; // prettier-ignore
  const shapes = Object.entries(inputs).map(([name, shape]) => `${name} [${shape.join(', ')}]`);
  const setting = [
    `${runtime} on ${provider}`,
    threads === undefined ? 'default threads' : `${threads} threads`,
    ...shapes,
    `${rounds} interleaved runs`,
  ];
  const withMemory = models.some(({ memory }) => memory !== undefined);
  const rows = models.map(({ name, median, p90, spread, memory }) => {
    const comparison = comparisons.find((other) => other.name === name);
    return [
      name,
      formatMilliseconds(median),
      formatMilliseconds(p90),
      formatShare(spread),
      comparison ? `${comparison.speedup.toFixed(2)}x` : '',
      comparison ? `${comparison.interval[0].toFixed(2)} to ${comparison.interval[1].toFixed(2)}` : '',
      ...(withMemory ? [memory === undefined ? '' : formatBytes(memory)] : []),
    ];
  });
  const elsewhere = placement
    .filter(({ computeShare }) => computeShare < 1)
    .map(
      ({ name, computeShare, elsewhere }) =>
        `note: ${formatShare(computeShare)} of ${name}'s compute nodes ran on ${provider}, elsewhere ${elsewhere.join(', ')}`,
    );
  const header = ['model', 'median', 'p90', 'spread', 'speedup', '95 % interval'];
  if (withMemory) header.push('memory');
  return [
    setting.join(', '),
    '',
    ...alignColumns([header, ...rows]),
    ...operatorLines(models),
    ...nodeLines(placement),
    ...elsewhere,
    ...leftOut,
    '',
  ].join('\n');
}

/** Time by kind of op in the first model, in each other one, and which got faster. */
function operatorLines(models: BenchResult['models']): string[] {
  const [first, ...others] = models;
  const dense = first?.operators;
  if (!dense) return [];
  const names = new Set(models.flatMap(({ operators = {} }) => Object.keys(operators)));
  const rows = [...names].map((op) => [
    op,
    formatMilliseconds(dense[op] ?? 0),
    ...others.flatMap(({ operators = {} }) => {
      const [before, after] = [dense[op] ?? 0, operators[op] ?? 0];
      return [formatMilliseconds(after), before > 0 && after > 0 ? `${(before / after).toFixed(2)}x` : ''];
    }),
  ]);
  const head = ['op', first.name, ...others.flatMap(({ name }) => [name, 'faster'])];
  return ['', ...alignColumns([head, ...rows])];
}

/** Where the nodes of each model ran. */
function nodeLines(placement: BenchResult['placement']): string[] {
  return placement.map(({ name, nodes }) => {
    const counts = Object.entries(nodes).map(([provider, count]) => `${count} on ${provider}`);
    return `nodes of ${name}: ${counts.join(', ')}`;
  });
}
