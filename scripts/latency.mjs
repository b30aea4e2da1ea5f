#!/usr/bin/env node
/* global AbortController, URL, console, performance, process */
// What pruning does to the latency on this machine, for docs/latency.md. Three questions:
//   node scripts/latency.mjs budget MODEL...    --budget latency=60%: what an interleaved run measures
//   node scripts/latency.mjs predict MODEL...   two ways of pruning: the predicted against the measured share
//   node scripts/latency.mjs slower MODEL...    --ratio 0.1 --round-to auto: is any model slower than before?
//   node scripts/latency.mjs write              docs/latency.md from what was measured so far
// Results are appended to docs/measurements/latency.jsonl; what is there already is not measured again. Nothing else
// should run on the same core (`taskset -c 0 node ...`): all is done by one thread. What is reported is not the run by
// which the engine chose, but a new one with the finished model.
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { basename } from 'node:path';
import { bench, loadModel, nodeRuntime, prune } from '../dist/index.js';

const folder = new URL('../docs/measurements/', import.meta.url);
const file = new URL('latency.jsonl', folder);
const threads = 1;

/** The width of an interval to either side at which a run is long enough, and the longest that any takes. */
const halfWidth = 0.015;
const maxSeconds = 60;

/** Options by question and by what the table calls them. */
const questions = {
  budget: { '--budget latency=60%': { budget: { latency: '60%' } } },
  predict: {
    '--ratio 0.5': { ratio: 0.5, roundTo: 'auto' },
    '--budget macs=60% --select knapsack': {
      budget: { macs: '60%' },
      select: 'knapsack',
      roundTo: 'auto',
    },
  },
  slower: { '--ratio 0.1 --round-to auto': { ratio: 0.1, roundTo: 'auto' } },
};

const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => stop.abort(name));

const [question, ...paths] = process.argv.slice(2);
if (question === 'write') write();
else if (questions[question]) for (const path of paths) await answer(path);
else throw new Error(`unknown question: ${question}; use budget, predict, slower or write`);

async function answer(path) {
  const model = basename(path, '.onnx');
  for (const [how, options] of Object.entries(questions[question])) {
    const isKnown = results(question).some((known) => known.model === model && known.how === how);
    if (isKnown || stop.signal.aborted) continue;
    const result = await measure(path, options);
    mkdirSync(folder, { recursive: true });
    appendFileSync(file, `${JSON.stringify({ question, how, model, ...(await machine()), ...result })}\n`);
    console.log(question, model, how, JSON.stringify(result));
  }
}

/** What pruning chose and what the result takes; `none` says why nothing came of it. */
async function measure(path, options) {
  const { signal } = stop;
  const dense = await loadModel(path);
  const start = performance.now();
  let pruned;
  try {
    pruned = await prune(dense, { ...options, threads, verify: 'none', signal });
  } catch (error) {
    if (!['nothing-to-prune', 'budget'].includes(error.code)) throw error;
    return { none: error.message, seconds: secondsSince(start) };
  }
  const { model, report } = pruned;
  const seconds = secondsSince(start);
  const { models, comparisons, rounds } = await bench(
    [
      { name: 'dense', model: dense },
      { name: 'pruned', model },
    ],
    { halfWidth, maxSeconds, threads, signal },
  );
  const [low, high] = comparisons[0].interval;
  const { predicted, measured, roundTo, undone, attempts } = report.latency;
  return {
    ...{ seconds, roundTo, attempts, predicted, trial: measured },
    groups: report.groups.filter(({ kept, size }) => kept < size).length,
    undone: undone.length,
    macs: report.macs.pruned / report.macs.dense,
    milliseconds: models.map(({ median }) => Number(median.toPrecision(5))),
    spread: models[0].spread,
    share: 1 / comparisons[0].speedup,
    interval: [1 / high, 1 / low],
    rounds,
  };
}

function secondsSince(start) {
  return Math.round((performance.now() - start) / 1000);
}

async function machine() {
  const { name, version } = await nodeRuntime();
  return {
    cpu: cpus()[0].model.trim(),
    cores: availableParallelism(),
    runtime: `${name} ${version}`,
    date: new Date().toISOString().slice(0, 10),
  };
}

function results(wanted) {
  if (!existsSync(file)) return [];
  const all = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return all.filter((result) => result.question === wanted);
}

function write() {
  const all = Object.keys(questions).flatMap(results);
  const machines = [...new Set(all.map(({ cpu, runtime }) => `${cpu}, ${runtime}`))].join('; ');
  const spreads = all.flatMap(({ spread }) => (spread === undefined ? [] : [spread]));
  const text = [
    '# Latency',
    '',
    'Generated by `node scripts/latency.mjs`; do not edit. The raw figures are in [measurements/latency.jsonl](measurements/latency.jsonl).',
    `Measured in onnxruntime on the CPU (${machines}), one thread pinned to one core, batch 1.`,
    'Shares are of the dense latency: the median of paired ratios of interleaved runs with the finished model, with its 95 %',
    `interval. Runs went on until that was within ${percent(halfWidth)} to either side, ${maxSeconds} seconds at most. They are new runs, not the`,
    'ones by which the plan was chosen. How quiet the machine was: half of the dense runs of a model lay within',
    `${percent(median(spreads))} of each other in the median over the rows, within ${percent(Math.max(...spreads))} at worst.`,
    'Weights are random, of the mean and deviation that trained ones had; criterion magnitude. Another machine gives other',
    'figures. "Chosen in" is how long pruning took, with tables of ops that earlier rows had measured.',
    '',
    ...budgetSection(results('budget')),
    ...predictSection(results('predict')),
    ...slowerSection(results('slower')),
  ].join('\n');
  writeFileSync(new URL('../docs/latency.md', import.meta.url), text);
}

function budgetSection(rows) {
  const met = rows.filter(({ share }) => share <= 0.62).length;
  return [
    '## A budget of 60 %',
    '',
    `\`--budget latency=60%\`; the bar is a measured share of 62 %. Met by ${met} of ${rows.length}.`,
    '',
    ...table(
      ['model', 'dense', 'predicted', 'measured', 'interval', 'MACs', 'plans timed', 'chosen in', 'met'],
      rows,
      ({ milliseconds, predicted, share, interval, macs, attempts, seconds }) => [
        `${milliseconds[0].toPrecision(3)} ms`,
        percent(predicted),
        percent(share),
        range(interval),
        percent(macs),
        attempts,
        `${seconds} s`,
        share <= 0.62 ? 'yes' : '**no**',
      ],
    ),
  ];
}

function predictSection(rows) {
  const errorOf = ({ predicted, share }) => predicted / share - 1;
  const found = rows.filter(({ none }) => none === undefined);
  const models = new Set(found.map(({ model }) => model)).size;
  const errors = Object.keys(questions.predict).map((how) => {
    const own = found.filter((row) => row.how === how).map((row) => Math.abs(errorOf(row)));
    return `${percent(median(own))} with \`${how}\``;
  });
  return [
    '## Predicted and measured',
    '',
    'What the latency model says of a plan before it is run. The model is a table of single ops, calibrated end to end with two',
    'plans that take 30 % and 70 % of every group; the plans below are none of these. All with `--round-to auto`.',
    `Median error over ${models} models: ${errors.join(', ')} (goal: at most 10 %).`,
    '',
    ...table(
      ['model', 'pruned with', 'dense', 'predicted', 'measured', 'interval', 'error'],
      rows,
      ({ how, milliseconds, predicted, share, interval }) => [
        `\`${how}\``,
        `${milliseconds[0].toPrecision(3)} ms`,
        percent(predicted),
        percent(share),
        range(interval),
        percent(predicted / share - 1),
      ],
    ),
  ];
}

function slowerSection(rows) {
  const passed = rows.filter((row) => row.none !== undefined || row.interval[1] <= 1.02).length;
  return [
    '## Never slower',
    '',
    '`--ratio 0.1 --round-to auto`; the bar is that the interval ends at or below 102 % and is at most 2 % wide to either side.',
    'Groups whose cuts do not pay are left whole; where no cut pays the command says so and writes nothing.',
    `Not slower: ${passed} of ${rows.length}.`,
    '',
    ...table(
      [
        'model',
        'dense',
        'measured',
        'interval',
        'MACs',
        'multiple of',
        'left whole',
        'chosen in',
        'not slower',
      ],
      rows,
      ({ milliseconds, share, interval, macs, roundTo, undone, groups, seconds }) => [
        `${milliseconds[0].toPrecision(3)} ms`,
        percent(share),
        range(interval),
        percent(macs),
        roundTo,
        `${undone} of ${undone + groups}`,
        `${seconds} s`,
        (interval[1] - interval[0]) / 2 > 0.02 * share
          ? 'interval too wide'
          : interval[1] <= 1.02
            ? 'yes'
            : '**no**',
      ],
    ),
  ];
}

function table(head, rows, cells) {
  const width = head.length;
  const lines = rows.map((row) =>
    row.none === undefined
      ? [row.model, ...cells(row)]
      : [row.model, `nothing written: ${row.none.split(';')[0]}`, ...Array(width - 2).fill('')],
  );
  return [
    ...[head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...lines].map(
      (line) => `| ${line.join(' | ')} |`,
    ),
    '',
  ];
}

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function range(interval) {
  return `${percent(interval[0])} to ${percent(interval[1])}`;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
