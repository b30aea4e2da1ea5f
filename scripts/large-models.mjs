#!/usr/bin/env node
// Time and memory of pruning against the bytes of the model: Llama-like models, the whole command, in turn with a copy
// of the same files. Sizes are measured one by one, a line of docs/measurements/large-models.jsonl each, of which the last
// of its kind counts; `--report` writes docs/large-models.md and docs/large-models.svg from them. Needs Linux, GNU cp and time, and twice the size on the disk.
// Usage: npm run build && node scripts/large-models.mjs FOLDER --size 4GiB [--type fp16] [--runs 3] [--cold]
//        node scripts/large-models.mjs --report [--note 'what else is to be known of the runs']
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { init, use } from 'echarts/core';
import { LineChart } from 'echarts/charts';
import { GridComponent, LegendComponent, TitleComponent } from 'echarts/components';
import { SVGRenderer } from 'echarts/renderers';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string' },
    type: { type: 'string', default: 'fp16' },
    runs: { type: 'string', default: '3' },
    cold: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    note: { type: 'string' },
  },
});
const [folder] = positionals;
if (!values.report && !(folder && values.size)) {
  console.error('give a folder and --size, or --report');
  process.exit(2);
}
const log = new URL('../docs/measurements/large-models.jsonl', import.meta.url);
if (values.report) report();
else measure();

function run(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${result.stderr}`);
  return result;
}

/** Seconds of the work, from disks at rest; with `--cold` from an empty page cache. */
function timed(work) {
  run('sync', []);
  if (values.cold) writeFileSync('/proc/sys/vm/drop_caches', '3');
  const start = performance.now();
  const result = work();
  return { seconds: (performance.now() - start) / 1000, ...result };
}

function measure() {
  mkdirSync(folder, { recursive: true });
  const model = join(folder, `${values.type}-${values.size}.onnx`);
  const files = [model, `${model}.data`];
  if (!existsSync(model))
    run(process.execPath, ['scripts/llama.mjs', '--bytes', values.size, '--type', values.type, '-o', model]);
  const bytes = files.reduce((total, path) => total + statSync(path).size, 0);
  const [copied, pruned] = ['copied', 'pruned'].map((name) => join(folder, name));
  const copy = () => {
    run('cp', ['--reflink=never', ...files, copied]);
    run('sync', ['-d', ...files.map((path) => join(copied, path.slice(folder.length + 1)))]);
  };
  const prune = () => {
    const output = join(pruned, 'out.onnx');
    const options = ['--ratio', '0.3', '--criterion', 'magnitude', '--verify', 'shapes', '-o', output];
    const { stderr } = run('/usr/bin/time', [
      '-f',
      '%M',
      process.execPath,
      'dist/cli/main.js',
      model,
      ...options,
    ]);
    return { memory: Number(stderr.trim().split('\n').at(-1)) * 1024 };
  };
  const runs = { copy: [], prune: [] };
  // Also fills the page cache, where it is not emptied.
  if (!values.cold) for (const path of files) run('cp', [path, '/dev/null']);
  for (let i = 0; i < Number(values.runs); i++)
    for (const [name, work, target] of [
      ['copy', copy, copied],
      ['prune', prune, pruned],
    ]) {
      mkdirSync(target, { recursive: true });
      runs[name].push(timed(work));
      rmSync(target, { recursive: true });
      console.log(name, runs[name].at(-1));
    }
  const row = {
    ...{ size: values.size, type: values.type, cold: values.cold, bytes, runs: Number(values.runs) },
    copy: median(runs.copy.map(({ seconds }) => seconds)),
    prune: median(runs.prune.map(({ seconds }) => seconds)),
    memory: Math.max(...runs.prune.map(({ memory }) => memory)),
  };
  appendFileSync(log, `${JSON.stringify(row)}\n`);
  console.log(row);
}

function median(list) {
  const sorted = list.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2;
}

/** The last measurement of each size, type and page cache, by size. */
function measured() {
  const lines = readFileSync(log, 'utf8').trim().split('\n');
  const last = new Map(
    lines.map((line) => JSON.parse(line)).map((row) => [`${row.size} ${row.type} ${row.cold}`, row]),
  );
  return [...last.values()].sort((a, b) => a.bytes - b.bytes);
}

function report() {
  const rows = measured();
  const gib = (bytes) => (bytes / 2 ** 30).toPrecision(3);
  const mib = (bytes) => Math.round(bytes / 2 ** 20);
  const line = ({ type, bytes, cold, runs, copy, prune, memory }) =>
    `| ${gib(bytes)} | ${type} | ${cold ? 'cold' : 'warm'} | ${runs} | ${copy.toPrecision(2)} | ${prune.toPrecision(2)} | ${(prune / copy).toFixed(2)} | ${mib(memory)} |`;
  writeFileSync(
    'docs/large-models.md',
    [
      '# Time and memory against the size of the model',
      '',
      `Llama-like models with random weights as external data (\`scripts/llama.mjs\`), pruned by the whole command with`,
      `\`--ratio 0.3 --criterion magnitude --verify shapes\`. Medians of runs in turn with \`cp --reflink=never\` of the`,
      `same files, both followed by fsync; memory is the largest resident set of all runs. Warm: the model was in the`,
      `page cache; cold: the page cache was emptied before each run.`,
      '',
      `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}. Made by \`scripts/large-models.mjs\`.`,
      '',
      ...(values.note ? [values.note, ''] : []),
      '| GiB | type | page cache | runs | copy, s | prune, s | prune / copy | peak memory, MiB |',
      '| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: |',
      ...rows.map(line),
      '',
      '![time and memory against bytes](large-models.svg)',
      '',
    ].join('\n'),
  );
  use([LineChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: 640, height: 400 });
  const plotted = rows.filter(({ type }) => type === 'fp16');
  const series = (name, value, yAxisIndex, dashed) => ({
    ...{ name, type: 'line', yAxisIndex, data: plotted.map((row) => [row.bytes / 2 ** 30, value(row)]) },
    lineStyle: { type: dashed ? 'dashed' : 'solid' },
  });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    title: { text: 'Time and memory against the size of the model', left: 'center' },
    legend: { bottom: 0 },
    grid: { left: 60, right: 60, bottom: 75, top: 50 },
    xAxis: {
      type: 'log',
      logBase: 2,
      name: 'GiB',
      nameLocation: 'middle',
      nameGap: 25,
      min: 0.0625,
      max: 16,
    },
    yAxis: [
      { type: 'log', name: 'seconds', min: 0.01, max: 100 },
      { type: 'value', name: 'MiB', min: 0, max: 1024, splitLine: { show: false } },
    ],
    series: [
      series('prune, s', ({ prune }) => prune, 0, false),
      series('copy, s', ({ copy }) => copy, 0, false),
      series('peak memory, MiB', ({ memory }) => memory / 2 ** 20, 1, true),
    ],
  });
  writeFileSync('docs/large-models.svg', chart.renderToSVGString());
  chart.dispose();
}
