#!/usr/bin/env node
// Which models have gradients by all their weights, and the time of loss and gradients against the forward pass alone.
// Every model that is done is one line of docs/measurements/gradients.jsonl; from all lines docs/gradients.md is
// written. A topology without weights has to be filled before.
// Usage: npm run build && node scripts/gradients-table.mjs FILE...
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { encodeModel, loadModel, modelInputs, nodeRuntime, openData } from '../dist/index.js';
import { resolveLoss } from '../dist/gradients/losses.js';
import { GradientRunner } from '../dist/gradients/session.js';

const examples = 8;
/** Input dims that a file leaves open. */
const shapes = { gpt2_small: { input_ids: [examples, 32] } };
/** Seconds that a model is measured at most, once every pass ran three times. */
const patience = 10;

const folder = new URL('../docs/measurements/', import.meta.url);
const log = new URL('gradients.jsonl', folder);
mkdirSync(folder, { recursive: true });
const rows = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').filter(Boolean).map((line) => JSON.parse(line)) : []; // prettier-ignore
const runtime = await nodeRuntime();

async function batchFor(model, name) {
  for (const batch of [examples, undefined])
    try {
      const data = await openData({ path: 'random', limit: batch ?? 1, ...(batch && { batch }), ...(shapes[name] && { shapes: shapes[name] }) }, model); // prettier-ignore
      for await (const first of data) return first;
    } catch (error) {
      if (batch === undefined) throw error;
    }
}

/**
 * Milliseconds of processor time of each work's fastest run, in turns. Processor time, since on a machine that does
 * other work too a long run is interrupted and a short one is not.
 */
async function fastest(works) {
  const best = works.map(() => Infinity);
  const start = performance.now();
  for (let run = 0; run < 30; run++) {
    if (run > 3 && performance.now() - start > 1000 * patience) break;
    for (const [i, work] of works.entries()) {
      const from = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(from);
      if (run > 0) best[i] = Math.min(best[i], (user + system) / 1000);
    }
  }
  return best;
}

async function measure(file, name) {
  const model = await loadModel(file);
  const weights = model.graph.initializers.filter(
    ({ dtype, dims }) => dtype === 'float32' && dims.reduce((a, b) => a * b, 1) > 1,
  );
  const wrt = weights.map((tensor) => tensor.name);
  const runner = new GradientRunner({ model, runtime, loss: resolveLoss('squared-norm'), wrt, threads: 1 });
  try {
    const batch = await batchFor(model, name);
    const { loss, gradients } = await runner.run(batch);
    const finite = [...gradients.values()].filter((values) => values.every(Number.isFinite)).length;
    const session = await runtime.load(encodeModel(model), { threads: 1 });
    const feeds = Object.fromEntries(
      modelInputs(model).map((input) => {
        const { dtype, data, dims } = batch.inputs[input.name];
        return [input.name, runtime.tensor(dtype, data, dims)];
      }),
    );
    const [forward, both] = await fastest([() => session.run(feeds), () => runner.run(batch)]);
    await session.release();
    const input = Object.values(batch.inputs)[0].dims;
    return { name, input, weights: wrt.length, found: gradients.size, finite: Number.isFinite(loss) ? finite : 0, forward, both }; // prettier-ignore
  } catch (error) {
    return { name, error: error.message };
  } finally {
    await runner.release();
  }
}

for (const file of process.argv.slice(2)) {
  const name = basename(file, '.onnx');
  if (rows.some((row) => row.name === name)) continue;
  const row = await measure(file, name);
  rows.push(row);
  appendFileSync(log, `${JSON.stringify(row)}\n`);
  console.log(JSON.stringify(row));
}

const measured = rows.filter(({ error }) => error === undefined);
const ratioOf = ({ forward, both }) => both / forward;
const within = measured.filter((row) => ratioOf(row) <= 4);
const median = measured.map(ratioOf).sort((a, b) => a - b)[measured.length >> 1];
const complete = measured.filter(({ weights, found, finite }) => found === weights && finite === weights);
writeFileSync(
  new URL('../docs/gradients.md', import.meta.url),
  `# Gradients

Loss (squared norm of the outputs) and its gradients by every float32 weight of more than one element, on random inputs
of ${examples} examples (or the one size that a model takes), with one thread. Times are processor time of the fastest of up to 30 runs,
in turns with the forward pass alone, on a core that other work shared. The forward pass is onnxruntime's own, with
everything fused and laid out as it likes. Written by \`scripts/gradients-table.mjs\`.

${complete.length} of ${measured.length} models have finite gradients by all weights. Loss and gradients take ${median.toFixed(1)} × the forward pass in the
median; the goal of 4 × is met by ${within.length}. Networks of depthwise convolutions are the furthest off: a forward pass costs them
little, and weight gradients of depthwise convolutions with strides and the way back through them have no fast kernel.

| model | first input | weights | with a finite gradient | forward, ms | loss and gradients, ms | against forward |
|---|---|--:|--:|--:|--:|--:|
${measured
  .toSorted((a, b) => a.name.localeCompare(b.name))
  .map(
    (row) =>
      `| ${row.name} | ${row.input.join(' × ')} | ${row.weights} | ${row.finite} | ${row.forward.toFixed(1)} | ${row.both.toFixed(1)} | ${ratioOf(row).toFixed(1)} × |`,
  )
  .join('\n')}

Not differentiated:

${rows
  .filter(({ error }) => error !== undefined)
  .map(({ name, error }) => `- ${name}: ${error}`)
  .join('\n')}
`,
);
