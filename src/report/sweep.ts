import { paretoFront, targetText, type CellResult, type SweepResult } from '../sweep/cells.js';
import { formatError } from './numbers.js';
import { alignColumns } from './table.js';

/** Every cell in a row; a star marks what no other cell beats in quality and cost. */
export function sweepText(sweep: SweepResult): string {
  const rows = sweepRows(sweep);
  const failed = sweep.cells.filter(({ error }) => error !== undefined);
  return [
    ...alignColumns(rows),
    '',
    '* no other cell is better at the same MACs or cheaper at the same quality',
    ...failed.map(({ cell, error }) => `failed: ${cell.criterion} at ${targetText(cell)}: ${error}`),
    '',
  ].join('\n');
}

/** Head and rows of the table: the best first, what failed left out. */
export function sweepRows({ cells, denseAccuracy }: SweepResult): string[][] {
  const front = paretoFront(cells, ({ macs }) => macs);
  const percent = (share: number | undefined): string =>
    share === undefined ? '' : `${(100 * share).toFixed(2)} %`;
  const done = cells.filter(({ error }) => error === undefined);
  const has = (key: keyof CellResult): boolean => done.some((result) => result[key] !== undefined);
  const columns: [string, (result: CellResult) => string][] = [
    ['criterion', ({ cell }) => cell.criterion],
    ['target', ({ cell }) => targetText(cell)],
    ['reconstructed', ({ cell }) => (cell.reconstruct ? 'yes' : 'no')],
    ['MACs', ({ macs }) => percent(macs)],
    ['parameters', ({ parameters }) => percent(parameters)],
  ];
  if (has('latency')) columns.push(['latency', ({ latency }) => percent(latency)]);
  if (has('accuracy')) columns.push(['top-1', ({ accuracy }) => percent(accuracy)]);
  if (has('agreement')) columns.push(['same class', ({ agreement }) => percent(agreement)]);
  if (has('outputError'))
    columns.push([
      'output error',
      ({ outputError }) => (outputError === undefined ? '' : formatError(outputError)),
    ]);
  const sorted = [...done].sort((a, b) => (b.macs ?? 0) - (a.macs ?? 0));
  const dense = columns.map(([name]) =>
    name === 'criterion'
      ? 'dense'
      : name === 'MACs'
        ? '100 %'
        : name === 'top-1'
          ? percent(denseAccuracy)
          : '',
  );
  return [
    [...columns.map(([name]) => name), ''],
    [...dense, ''],
    ...sorted.map((result) => [...columns.map(([, show]) => show(result)), front.has(result) ? '*' : '']),
  ];
}
