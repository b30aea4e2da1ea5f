#!/usr/bin/env node
// Which models have gradients by all their weights, and the time of loss and gradients against the forward pass alone.
// Writes docs/gradients.md. Usage: npm run build && node scripts/gradients-table.mjs BATCH FILE...
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { basename } from 'node:path';
import { encodeModel, loadModel, modelInputs, nodeRuntime, openData } from '../dist/index.js';
import { resolveLoss } from '../dist/gradients/losses.js';
import { GradientRunner } from '../dist/gradients/session.js';

const [, , batchText = '8', ...files] = process.argv;
const size = Number(batchText);
const runtime = await nodeRuntime();

/** The fastest of a few runs, after one that warms up. */
async function milliseconds(work) {
  await work();
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

async function rowOf(file) {
  const model = await loadModel(file);
  const weights = model.graph.initializers.filter(
    ({ dtype, dims }) => dtype === 'float32' && dims.reduce((a, b) => a * b, 1) > 1,
  );
  const wrt = weights.map(({ name }) => name);
  const runner = new GradientRunner({ model, runtime, loss: resolveLoss('squared-norm'), wrt });
  try {
    const data = await openData({ path: 'random', limit: size, batch: size }, model);
    let batch;
    for await (batch of data) break;
    const { loss, gradients } = await runner.run(batch);
    const values = [...gradients.values()];
    const finite = Number.isFinite(loss) && values.every((list) => list.every(Number.isFinite));
    const both = await milliseconds(() => runner.run(batch));
    const session = await runtime.load(encodeModel(model));
    const feeds = Object.fromEntries(
      modelInputs(model).map(({ name }) => {
        const { dtype, data: elements, dims } = batch.inputs[name];
        return [name, runtime.tensor(dtype, elements, dims)];
      }),
    );
    const forward = await milliseconds(() => session.run(feeds));
    await session.release();
    return [
      finite ? 'yes' : 'no',
      `${gradients.size} of ${wrt.length}`,
      forward.toFixed(0),
      both.toFixed(0),
      `${(both / forward).toFixed(1)} ×`,
    ];
  } catch (error) {
    return [error.message, '', '', '', ''];
  } finally {
    await runner.release();
  }
}

const rows = [];
for (const file of files) {
  const row = [basename(file, '.onnx'), ...(await rowOf(file))];
  rows.push(row);
  console.log(row.join(' | '));
}

writeFileSync(
  new URL('../docs/gradients.md', import.meta.url),
  `# Gradients

Loss (squared norm of the outputs) and its gradients by every float32 weight of more than one element, on random inputs,
batch ${size}, ${cpus().length} cores under heavy load of other work, so that the times say little. A weight that the
outputs don't depend on smoothly has no gradient. Written by \`scripts/gradients-table.mjs\`.

| model | finite | weights | forward, ms | loss and gradients, ms | against forward |
|---|---|--:|--:|--:|--:|
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}
`,
);
