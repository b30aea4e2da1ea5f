import { describe, expect, it } from 'vitest';
import { sweepHtml } from '../../src/report/html/sweep.js';
import { sweepRows, sweepText } from '../../src/report/sweep.js';
import { cellName, cellsOf, paretoFront, type CellResult, type SweepResult } from '../../src/sweep/cells.js';

function result(criterion: string, macs: number, quality: Partial<CellResult>): CellResult {
  return {
    cell: { target: { ratio: macs }, criterion, reconstruct: false },
    macs,
    milliseconds: 1,
    ...quality,
  };
}

describe('cells', () => {
  const cells = cellsOf([{ ratio: 0.3 }, { budget: { macs: '50%' } }], ['l1', 'taylor'], [false, true]);

  it('are every combination, each with a file name of its own', () => {
    expect(cells).toHaveLength(8);
    const names = cells.map(cellName);
    expect(new Set(names).size).toBe(8);
    expect(names[1]).toBe('l1_macs-50pc_sliced');
    for (const name of names) expect(name).toMatch(/^[\w.-]+$/);
  });
});

describe('the Pareto front', () => {
  const cost = ({ macs }: CellResult) => macs;

  it('holds what nothing beats, in accuracy, agreement or output error', () => {
    for (const quality of [
      (q: number) => ({ accuracy: q }),
      (q: number) => ({ agreement: q }),
      (q: number) => ({ outputError: 1 - q }),
    ]) {
      const [a, b, c, d] = [
        result('a', 0.8, quality(0.9)),
        result('b', 0.5, quality(0.8)),
        result('c', 0.6, quality(0.7)),
        result('d', 0.5, quality(0.79)),
      ];
      expect([...paretoFront([a, b, c, d], cost)]).toEqual([a, b]);
    }
  });

  it('keeps ties, and leaves out what failed or has no cost', () => {
    const twins = [result('a', 0.5, { accuracy: 0.8 }), result('b', 0.5, { accuracy: 0.8 })];
    const failed = { ...result('c', 0.1, { accuracy: 0.99 }), error: 'x' };
    const unknown = { ...result('d', 0.1, { accuracy: 0.99 }), macs: undefined };
    expect([...paretoFront([...twins, failed, unknown], cost)]).toEqual(twins);
  });
});

describe('the reports', () => {
  const sweep: SweepResult = {
    model: 'a <b>.onnx',
    denseAccuracy: 0.92,
    cells: [
      result('l1', 0.7, { accuracy: 0.9, latency: 0.75 }),
      result('taylor', 0.7, { accuracy: 0.91, latency: 0.8 }),
      { ...result('l1', 0.01, {}), error: 'budget <out> of reach' },
    ],
  };

  it('show the table, the best marked, and what failed', () => {
    const rows = sweepRows(sweep);
    expect(rows.map((row) => [row[0], row.at(-1)])).toEqual([
      ['criterion', ''],
      ['dense', ''],
      ['l1', ''],
      ['taylor', '*'],
    ]);
    expect(sweepText(sweep)).toContain('failed: l1 at ratio 0.01: budget <out> of reach');
    const page = sweepHtml(sweep, '');
    expect(page).toContain('budget &lt;out&gt; of reach');
    expect(page).toContain('Top-1 against latency');
    expect(page).not.toContain('<b>');
  });
});
