import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { root, run, scratch, trained } from './run.js';

const folder = scratch();
const model = trained('resnet20');
const out = join(folder, 'sweep');
const args = [
  ...['sweep', model, '-o', out, '--criteria', 'l1,lamp,random', '--ratios', '0.1,0.2,0.4,0.6'],
  ...['--verify', 'shapes', '--workers', '2', '--eval-data', 'random', '--limit', '16'],
];

function cells(): string[] {
  try {
    return readdirSync(out).filter((name) => name.startsWith('cell-') && name.endsWith('.json'));
  } catch {
    return [];
  }
}

it('goes on after a crash without repeating what is finished', { timeout: 180_000 }, async () => {
  const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  while (cells().length < 5 && child.exitCode === null) await sleep(20);
  child.kill('SIGKILL');
  await ended;
  const before = cells();
  expect(before.length).toBeGreaterThanOrEqual(5);
  expect(before.length).toBeLessThan(12);
  const times = before.map((name) => statSync(join(out, name)).mtimeMs);

  const json = join(folder, 'sweep.json');
  const page = join(folder, 'sweep.html');
  const { code, stdout, stderr } = await run([...args, '--json', json, '--report', page]);
  expect([code, stderr]).toEqual([0, '']);
  expect(cells()).toHaveLength(12);
  expect(before.map((name) => statSync(join(out, name)).mtimeMs)).toEqual(times);
  const sweep = JSON.parse(readFileSync(json, 'utf8')) as { cells: { macs: number; error?: string }[] };
  expect(sweep.cells).toHaveLength(12);
  for (const { macs, error } of sweep.cells) {
    expect(error).toBeUndefined();
    expect(macs).toBeLessThan(1);
  }
  expect(stdout.split('\n').filter((line) => /ratio 0\.\d/.test(line))).toHaveLength(12);
  expect(readFileSync(page, 'utf8')).toContain('against MACs');

  // A damaged cell is tried again; everything else stands.
  writeFileSync(join(out, before[0]!), '{"cell": ');
  expect((await run(args)).code).toBe(0);
  expect(JSON.parse(readFileSync(join(out, before[0]!), 'utf8'))).toHaveProperty('macs');
  const other = await run(args.map((word) => (word === 'shapes' ? 'none' : word)));
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('with other options')]);
});

it('records a cell that fails, and refuses what is no sweep', { timeout: 60_000 }, async () => {
  const impossible = join(folder, 'impossible');
  const { code, stdout } = await run(['sweep', model, '-o', impossible, '--budgets', 'macs=0.01%']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/failed: magnitude at macs=0\.01%: budget .* can't be met/);
  for (const wrong of [
    ['--ratios', '0.2'],
    ['-o', out],
    ['-o', out, '--budgets', 'macs'],
    ['-o', out, '--ratios', '0.2', '--reconstruct', 'maybe'],
  ])
    expect((await run(['sweep', model, ...wrong])).code).toBe(2);
});
