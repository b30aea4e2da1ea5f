#!/usr/bin/env node
// Breaks axis rules one at a time and looks whether random graphs notice. Writes docs/mutants.md.
// Usage: node scripts/mutants.mjs [GRAPHS=400]
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileTests } from './compile-tests.mjs';

const limit = Number(process.argv[2] ?? 400);
const built = compileTests('mutants');
const { mutants, huntMutant } = await import(`${built}/test/fuzz/mutants.js`);
const { nodeRuntime } = await import(`${built}/src/runtime/node.js`);
const runtime = await nodeRuntime();

const rows = [];
let caught = 0;
for (const mutant of mutants) {
  const { graphs, problem } = await huntMutant(mutant, limit, runtime);
  if (graphs !== undefined) caught++;
  const text = (problem ?? '').split('\n')[0].replaceAll('|', '\\|');
  rows.push(
    `| ${mutant.op} | ${mutant.kind} | ${mutant.what} | ${graphs ?? '**not caught**'} | ${text.slice(0, 140)} |`,
  );
  console.log(rows.at(-1));
}
writeFileSync(
  fileURLToPath(new URL('../docs/mutants.md', import.meta.url)),
  [
    '# Mutants of rules',
    '',
    `${mutants.length} axis rules with one mistake each, and how many random graphs with the op it took until one failed that`,
    `passes with the real rule (at most ${limit}). Made by \`scripts/mutants.mjs\`; caught: ${caught} of ${mutants.length}.`,
    '',
    '| op | mistake in | what | graphs | what gave it away |',
    '|---|---|---|---:|---|',
    ...rows,
    '',
  ].join('\n'),
);
process.exitCode = caught < mutants.length ? 1 : 0;
