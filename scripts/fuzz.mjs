#!/usr/bin/env node
// Prunes random graphs at random and compares every float value. Prints the coverage of each rule and writes
// docs/fuzz.md. Stops and goes on where it stopped: finished seeds are kept in docs/measurements/fuzz.jsonl, one line
// each while it runs and one line for all of them in the end.
// Goes on until there are so many graphs and each rule is in EACH of them.
// Usage: node scripts/fuzz.mjs [GRAPHS=20000] [--each 200] [--jobs 2] [--minutes 600] [--fresh]
import { fork } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { compileTests } from './compile-tests.mjs';

const graphsPerSeed = 40;
/** With symbolic lengths, each compared at several of them. */
const symbolicPerSeed = 10;
const { values, positionals } = parseArgs({
  options: {
    jobs: { type: 'string', default: '2' },
    each: { type: 'string', default: '200' },
    minutes: { type: 'string', default: '600' },
    fresh: { type: 'boolean', default: false },
  },
  allowPositionals: true,
});
const wanted = Number(positionals[0] ?? 20000);
const root = fileURLToPath(new URL('..', import.meta.url));
const stateFile = `${root}docs/measurements/fuzz.jsonl`;
const worker = fileURLToPath(new URL('fuzz-worker.mjs', import.meta.url));

const built = compileTests('fuzz');
mkdirSync(`${root}docs/measurements`, { recursive: true });
if (values.fresh) rmSync(stateFile, { force: true });
/** What came of some seeds: `{ seeds, graphs, bare, nodes, compared, proofs, ops, touched, failures }`. */
const results = existsSync(stateFile)
  ? readFileSync(stateFile, 'utf8')
      .split('\n')
      .filter(Boolean)
      .map((line) => ({ symbolic: { graphs: 0, sizes: 0, kinds: {} }, ...JSON.parse(line) }))
  : [];
const { axisRuleFamilies } = await import(`${built}/src/axes/rules/index.js`);
const { withoutStep } = await import(`${built}/test/oracles/random-graph/index.js`);
const rules = Object.values(axisRuleFamilies).flatMap((family) => Object.keys(family));
const sum = (key) => results.reduce((total, result) => total + result[key], 0);
const count = (table, op) => results.reduce((total, result) => total + (result[table][op] ?? 0), 0);
const scarce = () => rules.filter((op) => !(op in withoutStep) && count('ops', op) < Number(values.each));
const done = new Set(results.flatMap(({ seeds }) => seeds));
const graphs = () => sum('graphs');
const deadline = Date.now() + 60_000 * Number(values.minutes);

let next = 0;
function takeSeed() {
  const isEnough = graphs() >= wanted && scarce().length === 0;
  if (isEnough || Date.now() > deadline) return undefined;
  while (done.has(next)) next++;
  done.add(next);
  return next;
}

function record({ seed, failures, ...counts }) {
  const result = { seeds: [seed], ...counts, failures: failures.map((failure) => ({ seed, ...failure })) };
  results.push(result);
  appendFileSync(stateFile, `${JSON.stringify(result)}\n`);
  for (const { graph, problem, shrunk } of failures)
    console.log(`seed ${seed}, graph ${graph}: ${problem}\n  ${shrunk}`);
  if (results.length % 10 === 0) console.log(`${graphs()} graphs, ${seedsOf().length} seeds`);
}

const seedsOf = () => results.flatMap(({ seeds }) => seeds).sort((a, b) => a - b);

function symbolicTotals() {
  const kinds = {};
  let [graphs, sizes] = [0, 0];
  for (const { symbolic } of results) {
    graphs += symbolic.graphs;
    sizes += symbolic.sizes;
    for (const [kind, times] of Object.entries(symbolic.kinds)) kinds[kind] = (kinds[kind] ?? 0) + times;
  }
  return { graphs, sizes, kinds };
}

function inOneLine() {
  const tableOf = (key) => {
    const ops = [...new Set(results.flatMap((result) => Object.keys(result[key])))].sort();
    return Object.fromEntries(ops.map((op) => [op, count(key, op)]));
  };
  const totals = ['graphs', 'bare', 'nodes', 'compared', 'proofs'].map((key) => [key, sum(key)]);
  const tables = ['ops', 'touched'].map((key) => [key, tableOf(key)]);
  const failures = results.flatMap((result) => result.failures);
  const symbolic = symbolicTotals();
  return { seeds: seedsOf(), ...Object.fromEntries([...totals, ...tables]), symbolic, failures };
}

/** One process at a time, so that a native crash costs one seed and is seen. */
function runJob() {
  return new Promise((resolve) => {
    let seed = takeSeed();
    if (seed === undefined) return resolve();
    const start = () => {
      const child = fork(worker, [built, String(graphsPerSeed), String(symbolicPerSeed)]);
      let finished = false;
      child.on('message', (result) => {
        record(result);
        seed = takeSeed();
        if (seed === undefined) {
          finished = true;
          child.disconnect();
        } else child.send(seed);
      });
      child.on('exit', (code, signal) => {
        if (finished) return resolve();
        const problem = `the process ended with ${signal ?? code}`;
        const failures = [{ graph: -1, problem, shrunk: '' }];
        record({
          seed,
          graphs: 0,
          bare: 0,
          nodes: 0,
          compared: 0,
          proofs: 0,
          ops: {},
          touched: {},
          symbolic: { graphs: 0, sizes: 0, kinds: {} },
          failures,
        });
        seed = takeSeed();
        if (seed === undefined) resolve();
        else start();
      });
      child.send(seed);
    };
    start();
  });
}
await Promise.all(Array.from({ length: Number(values.jobs) }, runJob));

const { seeds, failures, symbolic } = inOneLine();
writeFileSync(stateFile, `${JSON.stringify(inOneLine())}\n`);
const rows = Object.entries(axisRuleFamilies).flatMap(([family, rules]) =>
  Object.keys(rules).map((op) => `| ${family} | ${op} | ${count('ops', op)} | ${count('touched', op)} |`),
);
const reasons = Object.entries(withoutStep).map(([op, why]) => `\`${op}\` (${why})`);
writeFileSync(
  `${root}docs/fuzz.md`,
  [
    '# Random graphs',
    '',
    'Random graphs over the op table, pruned at random, every float value compared with that of the dense graph whose',
    'removed positions are zero (`test/oracles/random-graph-oracle.ts`); every third graph is proved by `verify` too.',
    'Made by `scripts/fuzz.mjs`.',
    '',
    `- ${graphs()} graphs with a real removal (and ${sum('bare')} where nothing was prunable), ${(sum('nodes') / Math.max(1, graphs())).toFixed(1)} nodes each on average`,
    `- ${sum('compared')} float values compared, ${sum('proofs')} graphs proved by \`verify\` too`,
    `- ${symbolic.graphs} of them with symbolic batches and lengths (\`test/oracles/symbolic-graph.ts\`): strides of 1 to 160, sizes computed by Shape, Gather, Slice, Concat, Mul, Div, Range, ConstantOfShape, Expand and Resize, outputs of integers and truth values, 8-bit layers, an op that onnxruntime doesn't know; compared at ${symbolic.sizes} sizes, integers exactly`,
    `- seeds ${seeds[0]} to ${seeds.at(-1)}, ${graphsPerSeed} + ${symbolicPerSeed} graphs each: graph \`i\` of a seed is run \`i\` of fast-check with that seed`,
    `- wrong outputs or crashes: ${failures.length}`,
    '',
    ...failures.map(({ seed, graph, problem }) => `  - seed ${seed}, graph ${graph}: ${problem}`),
    `A rule is counted in a graph that holds its op and lost something; where the rule relates no axis, or blocks the`,
    'one that is looked at, the op met no removed channels and had to leave everything in front of it alone.',
    ...(scarce().length > 0
      ? ['', `Rules in fewer than ${values.each} graphs: ${scarce().join(', ')}.`]
      : []),
    '',
    `Rules in no graph: ${reasons.join(', ')}.`,
    '',
    '| family | rule | graphs | graphs where it met removed channels |',
    '|---|---|---:|---:|',
    ...rows,
    '',
    '| step of a graph with symbolic lengths | graphs |',
    '|---|---:|',
    ...Object.entries(symbolic.kinds).map(([kind, times]) => `| ${kind} | ${times} |`),
    '',
  ].join('\n'),
);
console.log(`${graphs()} graphs, ${failures.length} failures: docs/fuzz.md`);
process.exitCode = failures.length > 0 ? 1 : 0;
