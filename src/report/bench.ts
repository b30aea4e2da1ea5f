import type { BenchResult } from '../bench/result.js';
import { formatMilliseconds, formatShare } from './numbers.js';
import { alignColumns } from './table.js';

/** Median, 90th percentile and spread by model, and how much faster each is than the first. */
export function benchText(result: BenchResult): string {
  const { runtime, provider, placement, threads, inputs, rounds, models, comparisons } = result;
  const shapes = Object.entries(inputs).map(([name, shape]) => `${name} [${shape.join(', ')}]`);
  const setting = [
    `${runtime} on ${provider}`,
    threads === undefined ? 'default threads' : `${threads} threads`,
    ...shapes,
    `${rounds} interleaved runs`,
  ];
  const rows = models.map(({ name, median, p90, spread }) => {
    const comparison = comparisons.find((other) => other.name === name);
    return [
      name,
      formatMilliseconds(median),
      formatMilliseconds(p90),
      formatShare(spread),
      comparison ? `${comparison.speedup.toFixed(2)}x` : '',
      comparison ? `${comparison.interval[0].toFixed(2)} to ${comparison.interval[1].toFixed(2)}` : '',
    ];
  });
  const elsewhere = placement
    .filter(({ computeShare }) => computeShare < 1)
    .map(
      ({ name, computeShare, elsewhere }) =>
        `note: ${formatShare(computeShare)} of ${name}'s compute nodes ran on ${provider}, elsewhere ${elsewhere.join(', ')}`,
    );
  const header = ['model', 'median', 'p90', 'spread', 'speedup', '95 % interval'];
  return [setting.join(', '), '', ...alignColumns([header, ...rows]), ...elsewhere, ''].join('\n');
}
