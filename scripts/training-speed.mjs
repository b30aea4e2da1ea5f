#!/usr/bin/env node
// Times a distillation step side by side with PyTorch's: the dense model forward, the pruned one forward and backward, and
// AdamW. Processor time of the fastest step, in turns, each side in a process of its own. Rows are kept in
// docs/measurements/training-speed.jsonl; from all of them the table in docs/training.md is written.
// Usage: npm run build && node scripts/training-speed.mjs PYTHON MODEL BUDGET BATCH [THREADS [STEPS]]
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { loadModel, modelInputs, prune, saveModel } from '../dist/index.js';

const [python, file, budget, batch, threads = '1', steps = '6'] = process.argv.slice(2);
if (python === '--own') await own(...process.argv.slice(3));
else if (python === undefined) writeTable(new URL('../docs/measurements/', import.meta.url));
else await compare();

async function compare() {
  const folder = mkdtempSync(join(tmpdir(), 'training-speed-'));
  try {
    const dense = await loadModel(file);
    const pruned = join(folder, 'pruned.onnx');
    const { model } = await prune(
      dense,
      budget === 'none' ? { ratio: 0.01 } : { budget: { macs: budget }, verify: 'none' },
    );
    await saveModel(budget === 'none' ? dense : model, pruned);
    const [input] = modelInputs(dense);
    const dims = input.dims
      .slice(1)
      .map((dim) => (typeof dim === 'number' ? dim : 128))
      .join();
    const given = [file, pruned, batch, threads, steps, dims];
    const run = (command, ...args) =>
      JSON.parse(execFileSync(command, args, { encoding: 'utf8' }).trim().split('\n').at(-1));
    const rounds = [1, 2].map(() => [
      run(process.execPath, new URL(import.meta.url).pathname, '--own', ...given),
      run(python, new URL('training-speed.py', import.meta.url).pathname, ...given),
    ]);
    const best = (side, key) => Math.min(...rounds.map((round) => round[side][key]));
    const row = {
      model: basename(file, '.onnx'),
      ...{ budget, batch: Number(batch), threads: Number(threads) },
      ours: best(0, 'milliseconds'),
      pytorch: best(1, 'milliseconds'),
      peak: best(0, 'peak'),
      pytorchPeak: best(1, 'peak'),
    };
    const share = (row.ours / row.pytorch).toFixed(2);
    process.stdout.write(`${JSON.stringify(row)}  ${share} x PyTorch's\n`);
    const log = new URL('../docs/measurements/', import.meta.url);
    mkdirSync(log, { recursive: true });
    appendFileSync(new URL('training-speed.jsonl', log), `${JSON.stringify(row)}\n`);
    writeTable(log);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeTable(log) {
  const rows = readFileSync(new URL('training-speed.jsonl', log), 'utf8').trim().split('\n').map((line) => JSON.parse(line)); // prettier-ignore
  const lines = rows.map(
    ({ model, budget, batch, ours, pytorch, peak, pytorchPeak }) =>
      `| ${model} | ${budget} | ${batch} | ${ours.toFixed(0)} | ${pytorch.toFixed(0)} | **${(ours / pytorch).toFixed(2)}** | ${peak.toFixed(0)} | ${pytorchPeak.toFixed(0)} |`,
  );
  const head = [
    '| model | MACs | batch | here, ms | PyTorch, ms | share | peak here, MiB | peak of PyTorch, MiB |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
  ];
  const path = new URL('../training.md', log);
  const page = readFileSync(path, 'utf8');
  const table = [...head, ...lines].join('\n');
  writeFileSync(path, page.replace(/(<!-- speed -->\n)[\s\S]*?(<!-- end -->)/, `$1${table}\n$2`));
}

async function own(densePath, prunedPath, batch, threads, steps, dims) {
  const { analyze, nodeRuntime } = await import('../dist/index.js');
  const room = (name) => import(`../dist/training/${name}.js`);
  const [{ StepRunner }, { studentOf, valuesOf }, { Teacher }, { kl }, { sumLosses }, { adamw }] =
    await Promise.all(
      ['step', 'student', 'teacher', 'losses/kl', 'losses/sum', 'optimizers/adamw'].map(room),
    );
  const runtime = await nodeRuntime();
  const dense = await loadModel(densePath);
  const student = studentOf((await analyze(prunedPath)).axes);
  const output = dense.graph.outputs[0].name;
  const common = { runtime, threads: Number(threads) };
  const teacher = new Teacher({ ...common, model: dense, names: [output], count: undefined, memory: 0 });
  const runner = new StepRunner({
    ...common,
    student,
    loss: sumLosses([{ loss: kl({ output }), weight: 1 }]),
  });
  const values = valuesOf(student);
  const optimizer = adamw();
  const slots = new Map(
    student.trainable.map(({ name }) => [name, [0, 1].map(() => new Float32Array(values.get(name).length))]),
  );
  const [input] = modelInputs(dense);
  const shape = [Number(batch), ...dims.split(',').map(Number)];
  const count = shape.reduce((a, b) => a * b, 1);
  const data =
    input.dtype === 'float32'
      ? Float32Array.from({ length: count }, (_, i) => Math.sin(i))
      : BigInt64Array.from({ length: count }, (_, i) => BigInt(i % 100));
  const example = {
    inputs: { [input.name]: { dtype: input.dtype, dims: shape, data } },
    size: shape[0],
    valid: shape[0],
  };
  let fastest = Infinity;
  for (let step = 1; step <= Number(steps); step++) {
    const from = process.cpuUsage();
    const extras = await teacher.values({ batch: example, positions: undefined });
    const { gradients } = await runner.run({ ...example, extras }, values);
    for (const { name, kind } of student.trainable)
      if (gradients.has(name))
        optimizer.step(values.get(name), gradients.get(name), slots.get(name), {
          learningRate: 2e-3,
          decay: kind === 'weight' ? 0.01 : 0,
          step,
        });
    const { user, system } = process.cpuUsage(from);
    fastest = Math.min(fastest, (user + system) / 1000);
  }
  process.stdout.write(
    `${JSON.stringify({ milliseconds: fastest, peak: process.resourceUsage().maxRSS / 1024 })}\n`,
  );
}
