#!/usr/bin/env node
// Prunes every model of the given folders or files at three ratios and two scopes through the CLI, with the full proof,
// and writes docs/proofs.md. Usage: npm run build && node scripts/proofs.mjs FOLDER|FILE... [--only NAME]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const cli = new URL('../dist/cli/main.js', import.meta.url).pathname;
const files = process.argv.slice(2).flatMap((path) =>
  statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => name.endsWith('.onnx'))
        .map((name) => join(path, name))
    : [path],
);
if (files.length === 0) {
  console.error('usage: node scripts/proofs.mjs FOLDER|FILE...');
  process.exit(2);
}

const work = mkdtempSync(join(tmpdir(), 'proofs-'));
const percent = (part, whole) => `${((100 * part) / whole).toFixed(1)} %`;
const big = (value) =>
  Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 }).format(value);

function prune(file, ratio, scope) {
  const [output, json] = [join(work, 'out.onnx'), join(work, 'report.json')];
  const start = performance.now();
  const args = [
    file,
    '--ratio',
    ratio,
    '--scope',
    scope,
    '--verify',
    'full',
    '-o',
    output,
    '--json',
    json,
    '--quiet',
  ];
  const { status, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: 'utf8' });
  const seconds = (performance.now() - start) / 1000;
  if (status !== 0) return { error: stderr.trim().split('\n').at(-1) };
  return { seconds, ...JSON.parse(readFileSync(json, 'utf8')).report };
}

const lines = [];
for (const file of files) {
  const name = basename(file, '.onnx');
  for (const scope of ['local', 'global'])
    for (const ratio of [0.25, 0.5, 0.75]) {
      const r = prune(file, ratio, scope);
      const left = `| ${name} | ${scope} | ${ratio} |`;
      if (r.error !== undefined) lines.push(`${left} ${r.error} |`);
      else {
        const { all, withoutResidualStream: without } = r.coverage;
        const coverage = `${percent(all.parameters, 1)} / ${percent(without.parameters, 1)} | ${percent(all.macs, 1)} / ${percent(without.macs, 1)}`;
        const cost = ({ dense, pruned }) => `${big(dense)} → ${big(pruned)} (${percent(pruned, dense)})`;
        const { compared, maxError } = r.verification;
        const times = `${Math.round(r.timings.shapes)} + ${Math.round(r.timings.axes)} ms | ${r.seconds.toFixed(1)} s`;
        lines.push(
          `${left} ${r.groups.length} | ${coverage} | ${cost(r.macs)} | ${cost(r.parameters)} | ${compared} | ${maxError.toExponential(1)} | ${times} |`,
        );
      }
      console.log(lines.at(-1));
    }
}
rmSync(work, { recursive: true, force: true });

writeFileSync(
  'docs/proofs.md',
  [
    '# Proofs',
    '',
    `Every float tensor of each pruned model against the masked original (\`--verify full\`), made by \`scripts/proofs.mjs\`.`,
    'Coverage is given with and without the residual stream of LayerNorm models. Analysis = shapes (onnxruntime) + axes (ours).',
    'The time is that of the whole command, the full proof included, on 2 cores.',
    '',
    '| model | scope | ratio | groups | coverage of parameters | coverage of MACs | MACs | parameters | tensors compared | largest relative error | analysis | command |',
    '|---|---|---:|---:|---|---|---|---|---:|---:|---|---:|',
    ...lines,
    '',
  ].join('\n'),
);
