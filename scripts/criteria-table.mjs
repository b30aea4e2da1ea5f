#!/usr/bin/env node
// Top-1 of resnet20_bn pruned by each criterion, without repair, one-shot and in steps. Writes docs/criteria.md.
// Usage: npm run build && node scripts/criteria-table.mjs [STEPS] [IMAGES] [DRAWS] [TEST IMAGES] [CRITERIA]
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { criteria, evaluate, loadModel, openData, prune } from '../dist/index.js';

const [, , steps = '40', images = '1024', draws = '5', tests = '10000', chosen] = process.argv;
const names = chosen?.split(',') ?? Object.keys(criteria);
const shares = [0.7, 0.5, 0.3];
const pathOf = (name) => fileURLToPath(new URL(`../models/${name}`, import.meta.url));
const pixels = { mean: [0.286], std: [0.353] };

const model = await loadModel(pathOf('trained/resnet20_bn.onnx'));
const test = await openData(
  { path: pathOf('data/t10k-images-idx3-ubyte.gz'), ...pixels, batch: 250, limit: Number(tests) },
  model,
);

/** Mean over the draws of the images that the criterion sees. */
async function accuracy(criterion, macs, count) {
  let sum = 0;
  for (let seed = 0; seed < Number(draws); seed++) {
    const path = pathOf('data/train2048-images-idx3-ubyte.gz');
    const drawn = { path, ...pixels, limit: Number(images), draw: 'shuffle', seed, batch: 64 };
    const data = await openData(drawn, model);
    const options = {
      budget: { macs },
      criterion,
      steps: count,
      data,
      seed,
      verify: 'none',
      reconstruct: false,
    };
    const pruned = await prune(model, options);
    sum += (await evaluate(pruned.model, { data: test })).accuracy.top1;
  }
  return `${((100 * sum) / Number(draws)).toFixed(2)} %`;
}

const rows = [];
for (const name of names) {
  const row = [name];
  for (const count of [1, Number(steps)])
    for (const share of shares) row.push(await accuracy(name, share, count));
  rows.push(row);
  console.log(row.join(' | '));
}

const heads = [1, Number(steps)].flatMap((count) =>
  shares.map((share) => `${100 * share} % MACs, ${count === 1 ? 'one-shot' : `${count} steps`}`),
);
writeFileSync(
  new URL('../docs/criteria.md', import.meta.url),
  `# Criteria

Top-1 of \`resnet20_bn\` (dense 92.17 %) on ${tests} test images after pruning without repair or reconstruction: local
scope, ${images} labelled training images, mean of ${draws} draws. Written by \`scripts/criteria-table.mjs\`.

| criterion | ${heads.join(' | ')} |
|---|${heads.map(() => '--:|').join('')}
${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}
`,
);
