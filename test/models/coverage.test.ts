import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { analyze } from '../../src/analysis/analyze.js';
import { coverage } from '../../src/cost/coverage.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { readTopology } from '../oracles/topology.js';

interface Floor {
  readonly parameters: number;
  readonly withoutResidualStream: number;
}

/** Shares of the parameters that pruning reaches at least. Lowering one needs a reason in the change. */
const floorsOf = (file: string) =>
  JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as Readonly<Record<string, Floor>>;
const floors = floorsOf('coverage-floor.json');

const runtime = await nodeRuntime();

it('has a floor for every topology', () => {
  const files = readdirSync(new URL('../../models/topologies', import.meta.url));
  const names = files.flatMap((file) => /^(.+)\.onnx\.gz$/.exec(file)?.[1] ?? []);
  expect(Object.keys(floors).sort()).toEqual(names.sort());
});

it.each(Object.entries(floors))('covers %s no worse than before', async (name, floor) => {
  const { grouping, cost } = await analyze(readTopology(name), { runtime });
  expect(coverage(grouping, cost).parameters).toBeGreaterThanOrEqual(floor.parameters);
  const without = coverage(grouping, cost, { residualStream: false });
  expect(without.parameters).toBeGreaterThanOrEqual(floor.withoutResidualStream);
});

it('covers at least 95 % of the median topology', () => {
  const sorted = Object.values(floors)
    .map(({ parameters }) => parameters)
    .sort((a, b) => a - b);
  expect(sorted[Math.floor(sorted.length / 2)]).toBeGreaterThanOrEqual(0.95);
});

/** Models whose weights are not in the repository: `scripts/architectures.mjs` measures them. */
it('the table of architectures is no worse than its floors', () => {
  const table = readFileSync(new URL('../../docs/architectures.md', import.meta.url), 'utf8');
  const all = { ...floors, ...floorsOf('coverage-floor-real.json') };
  const below = Object.entries(all).filter(([name, floor]) => {
    const [row, ...shares] =
      new RegExp(`^\\| ${name.replaceAll('.', '\\.')} \\| \\d+ \\| ([\\d.]+) % \\| ([\\d.]+) % `, 'm').exec(
        table,
      ) ?? [];
    const [parameters = 0, without = 0] = shares.map((share) => Number(share) / 100);
    return row === undefined || parameters < floor.parameters || without < floor.withoutResidualStream;
  });
  expect(below).toEqual([]);
});
