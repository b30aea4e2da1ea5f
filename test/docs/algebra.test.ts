import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { analyze, type Analysis } from '../../src/analysis/analyze.js';
import { showAxis } from '../../src/axes/show.js';
import type { Axis } from '../../src/axes/axis.js';
import { decodeModel } from '../../src/onnx/codec.js';
import type { Tensor } from '../../src/onnx/tensor.js';
import { integersOf } from '../../src/onnx/values.js';
import { nodeRuntime } from '../../src/runtime/node.js';
import { root, run, scratch } from '../cli/run.js';

/** What docs/algebra.md quotes is what the program says. */
const page = readFileSync(join(root, 'docs', 'algebra.md'), 'utf8');
const dense = decodeModel(readFileSync(join(root, 'models', 'algebra.onnx')));
const folder = scratch();

let analysis: Analysis;
beforeAll(async () => {
  mkdirSync(join(folder, 'models'));
  copyFileSync(join(root, 'models', 'algebra.onnx'), join(folder, 'models', 'algebra.onnx'));
  analysis = await analyze(dense, { runtime: await nodeRuntime() });
});

/** Cells of the table under a heading row, without their backquotes. */
function table(heading: string): string[][] {
  const start = page.indexOf(`\n| ${heading} |\n`);
  expect(start, `a table of ${heading}`).toBeGreaterThan(0);
  const rows = page.slice(start + 1).split('\n');
  const end = rows.findIndex((row) => !row.startsWith('|'));
  return rows.slice(2, end).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

/** A quoted session as a pattern: `…` stands for the rest of a line, alone on one for any number of lines. */
function pattern(quoted: string): RegExp {
  const escaped = quoted.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll(/^…$/gm, '[^]*').replaceAll('…', '.*')}\n?$`);
}

describe('docs/algebra.md', () => {
  it('quotes what the commands print', async () => {
    const sessions = [...page.matchAll(/```console\n\$ prune (.*)\n([^]*?)```/g)];
    expect(sessions.length).toBe(3);
    for (const [, command, quoted] of sessions) {
      const { stdout, stderr } = await run(command!.split(' '), folder);
      expect(stderr).toBe('');
      expect(stdout).toMatch(pattern(quoted!));
    }
  });

  it('shows the relations of the nodes', () => {
    const stated = analysis.axes.relations.map((relation, i) => [
      dense.graph.nodes[i]!.name,
      relation!.notation,
    ]);
    expect(table('node | relation')).toEqual(stated);
  });

  it('shows the axes of every tensor', () => {
    const { system, axes, parameters } = analysis.axes;
    const names = new Map(analysis.grouping.groups.map(({ factor, id }) => [factor, id]));
    const show = (list: readonly Axis[]): string =>
      list.map((axis) => showAxis(system, axis, (factor) => names.get(factor)!)).join(' ');
    const own = parameters.map(({ source, axes }) => [source.name, show(axes)] as const);
    const shown = new Map([...axes].map(([name, list]) => [name, show(list)] as const).concat(own));
    const rows = table('tensor | axes');
    expect(rows.length).toBe(8);
    for (const [name, axes] of rows) expect([name, axes]).toEqual([name, shown.get(name!)]);
  });

  it('shows what becomes of the initializers', async () => {
    await run(['models/algebra.onnx', '--ratio', '0.5', '--no-verify', '-o', 'pruned.onnx'], folder);
    const pruned = decodeModel(readFileSync(join(folder, 'pruned.onnx')));
    const rows = table('initializer | dense | pruned | why');
    const say = (tensor: Tensor): string =>
      tensor.dtype === 'int64' ? `= ${integersOf(tensor).join(' ')}` : tensor.dims.join(' ');
    const find = (model: typeof dense, name: string): string =>
      say(model.graph.initializers.find((tensor) => tensor.name === name)!);
    expect(rows.length).toBe(dense.graph.initializers.length);
    for (const [name, before, after] of rows)
      expect([name, before, after]).toEqual([name, find(dense, name!), find(pruned, name!)]);
  });
});
