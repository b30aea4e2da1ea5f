#!/usr/bin/env node
/* global URL, console, performance, process */
// Prunes every model of the given folders or files through the CLI at ratio 0.5 with the default proof, and writes the
// rows of docs/architectures.md; rows of other models stay. A topology without weights has to be filled before.
// Fails if less of a model is within reach than test/models/coverage-floor*.json say.
// Usage: npm run build && node scripts/architectures.mjs FOLDER|FILE...
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceSection, sectionOf } from './sections.mjs';

const cli = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const target = fileURLToPath(new URL('../docs/architectures.md', import.meta.url));
const limit = 300_000;

const files = process.argv.slice(2).flatMap((path) =>
  statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith('.onnx'))
        .sort()
        .map((name) => join(path, name))
    : [path],
);
if (files.length === 0) {
  console.error('usage: node scripts/architectures.mjs FOLDER|FILE...');
  process.exit(2);
}

const floorsOf = (kind) =>
  JSON.parse(readFileSync(new URL(`../test/models/coverage-floor${kind}.json`, import.meta.url), 'utf8'));
const floors = { ...floorsOf(''), ...floorsOf('-real') };

const work = mkdtempSync(join(tmpdir(), 'architectures-'));
const json = join(work, 'report.json');

/** Runs a command of the CLI in a process of its own: a native crash is a row too. */
function run(args) {
  rmSync(json, { force: true });
  const options = { encoding: 'utf8', timeout: limit };
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    [cli, ...args, '--json', json, '--quiet'],
    options,
  );
  if (status === 0) return { result: JSON.parse(readFileSync(json, 'utf8')) };
  const line = stderr.trim().split('\n').at(-1) ?? '';
  return { error: signal ? `stopped by ${signal}` : `exit ${status}: ${line.replace(/^error: /, '')}` };
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const big = (value) =>
  Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value);
const change = ({ dense, pruned }) =>
  `${big(dense)} → ${big(pruned)}${dense > 0 ? ` (${percent(pruned / dense)})` : ''}`;
const cell = (text) => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');

function row(file) {
  const start = performance.now();
  const { result, error } = run([file, '--ratio', '0.5', '--dry-run']);
  const seconds = `${((performance.now() - start) / 1000).toFixed(1)} s`;
  const { report } = result ?? {};
  const inspection = report ? undefined : run(['inspect', file]).result;
  const groups = (report ?? inspection)?.groups.length ?? '';
  const found = (report ?? inspection)?.coverage;
  const coverage = found
    ? `${percent(found.all.parameters)} | ${percent(found.withoutResidualStream.parameters)}`
    : '|';
  const name = basename(file, '.onnx');
  const floor = floors[name];
  const isBelow = (kind, share) => floor && (found?.[kind].parameters ?? 0) < floor[share];
  if (isBelow('all', 'parameters') || isBelow('withoutResidualStream', 'withoutResidualStream')) {
    console.error(`${name} is below its floor: ${JSON.stringify(floor)}`);
    process.exitCode = 1;
  }
  const left = `| ${name} | ${groups} | ${coverage} |`;
  if (!report) {
    const held = inspection?.blockers
      .slice(0, 2)
      .map(({ blocker }) => `${blocker.op} '${blocker.node}': ${blocker.why}`);
    const why = held?.length > 0 ? `; held back most by ${held.join(', and by ')}` : '';
    return [name, `${left} | | ${cell(error)}${cell(why)} | ${seconds} |`];
  }
  const { compared, maxError, skipped } = report.verification;
  const proof = `passed: ${compared} tensors, error ${maxError.toExponential(1)}${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`;
  return [name, `${left} ${change(report.macs)} | ${change(report.parameters)} | ${proof} | ${seconds} |`];
}

const rows = new Map(
  sectionOf(target, 'corpus')
    .split('\n')
    .flatMap((line) => {
      const name = /^\| ([\w.-]+) \| /.exec(line)?.[1];
      return name && name !== 'model' ? [[name, line]] : [];
    }),
);
for (const file of files) {
  const [name, line] = row(file);
  rows.set(name, line);
  console.log(line);
  replaceSection(target, 'corpus', table());
}
rmSync(work, { recursive: true, force: true });

function table() {
  return [
    '| model | groups | coverage | without residual stream | MACs | parameters | proof | time |',
    '|---|---:|---:|---:|---|---|---|---:|',
    ...[...rows].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line),
  ].join('\n');
}
