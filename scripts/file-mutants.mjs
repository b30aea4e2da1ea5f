#!/usr/bin/env node
// Breaks pruned files one place at a time and looks whether the proof notices. Writes the second part of docs/mutants.md.
// Usage: node scripts/file-mutants.mjs [PER_KIND=8] [MINUTES=60] MODEL.onnx...
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileTests } from './compile-tests.mjs';

const [perKind, minutes] = process.argv.slice(2, 4).map(Number);
const files = process.argv.slice(4);
const built = compileTests('file-mutants');
const { huntFileMutants, tolerance } = await import(`${built}/test/fuzz/hunt-file-mutants.js`);
const { decodeModel } = await import(`${built}/src/onnx/codec.js`);
const { nodeRuntime } = await import(`${built}/src/runtime/node.js`);
const whole = await nodeRuntime();
const runtime = Object.assign(Object.create(whole), {
  load: (model, options) => whole.load(model, { ...options, threads: 1 }),
});

const end = performance.now() + 60e3 * minutes;
const counts = new Map();
const passed = [];
const models = [];
let total = 0;
for (const file of files) {
  const name = basename(file, '.onnx');
  if (performance.now() > end) break;
  models.push(name);
  for await (const result of huntFileMutants(
    decodeModel(readFileSync(file)),
    runtime,
    perKind,
    models.length,
  )) {
    const { kind, what, problem, difference, reason } = result;
    const count = counts.get(kind) ?? { drawn: 0, caught: 0, same: 0, missed: 0 };
    counts.set(kind, count);
    count.drawn++;
    total++;
    if (problem !== undefined) count.caught++;
    else {
      count[difference > tolerance ? 'missed' : 'same']++;
      passed.push({ name, kind, what, difference, reason });
      console.log(`passed: ${name}: ${kind}: ${what}: ${difference}`);
    }
  }
  console.log(`${name}: ${total} mutants`);
  write();
}

function write() {
  const path = fileURLToPath(new URL('../docs/mutants.md', import.meta.url));
  const text = readFileSync(path, 'utf8');
  const marker = '\n# Mutants of files\n';
  const first = text.includes(marker) ? text.slice(0, text.indexOf(marker)) : text;
  const sum = (key) => [...counts.values()].reduce((all, count) => all + count[key], 0);
  const lines = [
    '# Mutants of files',
    '',
    `${total} pruned files with one mistake each, of ${models.join(', ')},`,
    'pruned by half at random. Each that passes the full proof is run against the file that it was made of, on 20 inputs at',
    'up to 3 sizes, with the weights of the file and with re-drawn ones: `missed` are those whose outputs differ by more than',
    `${tolerance} of their largest value, \`same\` those that compute the same. Made by \`scripts/file-mutants.mjs\`;`,
    `caught: ${sum('caught')}, same: ${sum('same')}, missed: ${sum('missed')}.`,
    '',
    '| mistake | mutants | caught | same | missed |',
    '|---|---:|---:|---:|---:|',
    ...[...counts].map(([kind, { drawn, caught, same, missed }]) => `| ${kind} | ${drawn} | ${caught} | ${same} | ${missed} |`), // prettier-ignore
    '',
    'What passed, and how far its outputs are apart at most:',
    '',
    '| model | mistake | where | difference | why it passes |',
    '|---|---|---|---:|---|',
    ...passed.map(({ name, kind, what, difference, reason }) => `| ${name} | ${kind} | ${what.replaceAll('|', '\\|')} | ${difference.toExponential(1)} | ${reason} |`), // prettier-ignore
    '',
  ];
  writeFileSync(path, `${first.trimEnd()}\n${marker}${lines.slice(1).join('\n')}`);
}
process.exitCode = [...counts.values()].some(({ missed }) => missed > 0) ? 1 : 0;
