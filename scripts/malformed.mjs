#!/usr/bin/env node
// Prunes malformed files: each must give a model or a PruneError, without a crash, in bounded memory. Writes
// docs/malformed.md. Usage: node scripts/malformed.mjs [FILES=2000]
import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { clearTimeout, setTimeout } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { compileTests } from './compile-tests.mjs';

const files = Number(process.argv[2] ?? 2000);
const limit = 60_000;
const built = compileTests('malformed');
const tally = new Map();
const findings = [];
let peak = 0;

function note(kind, result) {
  const results = tally.get(kind) ?? new Map();
  results.set(result, (results.get(result) ?? 0) + 1);
  tally.set(kind, results);
}

/** Files run in a child, so that what ends a process is seen; it is started again behind such a file. */
function runFrom(first) {
  return new Promise((resolve) => {
    const child = fork(`${built}/test/fuzz/malformed-worker.js`, {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    let seed = first;
    let timer;
    const send = () => {
      timer = setTimeout(() => child.kill('SIGKILL'), limit);
      child.send(seed);
    };
    child.on('message', ({ kind, result, uncaught, rss }) => {
      clearTimeout(timer);
      note(kind, result);
      peak = Math.max(peak, rss);
      if (uncaught) findings.push(`file ${seed} (${kind}): ${uncaught.split('\n').slice(0, 3).join(' | ')}`);
      if (++seed < files) send();
      else child.disconnect();
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (seed >= files) return resolve(seed);
      findings.push(`file ${seed}: the process ended with ${signal ?? code}`);
      resolve(seed + 1);
    });
    send();
  });
}
for (let seed = 0; seed < files;) seed = await runFrom(seed);

const { malformedKinds } = await import(`${built}/test/oracles/malformed.js`);
const rows = malformedKinds
  .filter((kind) => tally.has(kind))
  .map((kind) => `| ${kind} | ${[...tally.get(kind)].map(([result, n]) => `${result} ${n}`).join(', ')} |`);
const root = fileURLToPath(new URL('..', import.meta.url));
writeFileSync(
  `${root}docs/malformed.md`,
  [
    '# Malformed files',
    '',
    `${files} damaged or hostile files (\`test/oracles/malformed.ts\`, seeds 0 to ${files - 1}), each pruned at ratio 0.5 with the`,
    'default proof. Made by `scripts/malformed.mjs`. What came of them: a pruned model, or the code of a `PruneError`.',
    '',
    `- other errors, signals or hangs: ${findings.length}`,
    `- peak resident memory: ${Math.round(peak / 2 ** 20)} MiB`,
    '',
    ...findings.map((finding) => `  - ${finding}`),
    '| damage | outcomes |',
    '|---|---|',
    ...rows,
    '',
  ].join('\n'),
);
for (const finding of findings) console.log(finding);
console.log(
  `${files} files, ${findings.length} findings, ${Math.round(peak / 2 ** 20)} MiB: docs/malformed.md`,
);
process.exitCode = findings.length > 0 ? 1 : 0;
