#!/usr/bin/env node
/* global URL, TextEncoder, console */
// The matrix op × {axes, cost, gradient}: writes docs/operators.md. A test keeps it current.
// Usage: npm run build && node scripts/operators.mjs
import { readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

/** One node of each op whose rule looks at shapes or attributes: what the table shows is the relation of this node. */
const samples = JSON.parse(readFileSync(new URL('operator-samples.json', import.meta.url), 'utf8'));

const families = {
  elementwise: ['One element at a time', 'one operation an element'],
  contraction: ['Sums of products', ''],
  attention: ['Attention', 'multiplies each element once'],
  recurrent: ['Recurrent', ''],
  normalization: ['Normalisation', 'a few operations an element'],
  pooling: ['Pooling', 'adds and compares'],
  reduction: ['Reductions and transforms', 'adds and compares'],
  movement: ['Movement', 'copies'],
  indexing: ['Indexing', 'copies'],
  quantization: ['Quantization', 'rounds'],
  constant: ['Constants and sizes', 'makes values of a shape'],
  fused: ["onnxruntime's own ops", 'a few operations an element'],
  opaque: ['Blocked', 'its cost stays as it is'],
};

/** Why an op's multiply-adds aren't counted, where its family doesn't tell. */
const noCost = { 'com.microsoft::QAttention': 'nothing is known of its axes' };

/** Why an op has no gradient, by op or else by family. */
const noGradient = {
  Mod: 'a remainder jumps',
  BitCast: 'bits are no numbers',
  Shrink: 'rare in trained models',
  Hardmax: 'the largest element jumps',
  Compress: 'the choice jumps',
  Scatter: 'deprecated for ScatterElements',
  ConvInteger: 'integers; take gradients of the float model',
  QLinearConv: 'integers; take gradients of the float model',
  MatMulInteger: 'integers; take gradients of the float model',
  QLinearMatMul: 'integers; take gradients of the float model',
  elementwise: 'rare in trained models',
  contraction: 'rare in trained models',
  attention: 'fused; take gradients of the model before fusion',
  recurrent: 'rare in trained models',
  normalization: 'rare in trained models',
  pooling: 'rare in trained models',
  reduction: 'rare in trained models',
  movement: 'rare in trained models',
  indexing: 'rare in trained models',
  quantization: 'rounding is flat; take gradients of the float model',
  constant: 'flat',
  fused: 'fused or quantized; take gradients of the float model before fusion',
  opaque: 'nothing is pruned through it',
};

/** The node of a sample, as axis rules ask for it. */
function contextOf(op, sample) {
  const { inputs, outputs, attributes = {}, parameters = {}, constants = {}, opset = 17 } = sample;
  const attribute = (value) =>
    typeof value === 'number'
      ? { type: 'int', value: BigInt(value) }
      : typeof value === 'string'
        ? { type: 'string', value: new TextEncoder().encode(value) }
        : { type: 'ints', value: value.map(BigInt) };
  const entries = Object.entries(attributes).map(([name, value]) => [name, { name, ...attribute(value) }]);
  return {
    node: { name: op, opType: op, domain: '', attributes: new Map(entries), inputs: [], outputs: [] },
    opset,
    inputCount: inputs.length,
    outputCount: outputs.length,
    has: (input) => !!inputs[input],
    shape: (input) => inputs[input],
    outputShape: (output = 0) => outputs[output],
    isParameter: () => false,
    numbers: (input) => constants[input],
    parameter: (name) => parameters[name],
  };
}

/** What a rule states of the sample; the reason where it can't. */
function relationOf(op, rule, { NoRelation, inputNames }) {
  const image = [1, 8, 5, 5];
  const formal = inputNames(op);
  const names = formal?.length ? formal : ['x'];
  const inputs = (names[0].endsWith('…') ? ['a', 'b'] : names).map(() => image);
  try {
    const context = contextOf(op, samples[op] ?? { inputs, outputs: [image] });
    const result = typeof rule === 'function' ? rule(context) : rule;
    return typeof result === 'string' ? { notation: result } : result;
  } catch (error) {
    if (error instanceof NoRelation) return { notation: '', why: error.message };
    throw error;
  }
}

function axesCell({ notation, why }) {
  if (notation === '') return `blocked: ${why}`;
  return `\`${notation.trim()}\`${why && notation.includes('#') ? ` · ${why}` : ''}`;
}

/** The whole page. `rules` come from src/ in the test and from dist/ here. */
export function operatorsPage(rules) {
  const { axes, gradients, flat } = rules;
  const lines = [
    '# Operators',
    '',
    'What is known of each op, made by `scripts/operators.mjs`. Ops outside the default domain have theirs before the',
    'name. An op that is not listed is blocked with a reason, unless a rule is given (`--axis-rule`, `axisRules`); so are',
    'nodes with bodies where they capture values, but for an If that could be opened.',
    '',
    '- **axes**: the relation of a typical node in the notation of `--axis-rule`: equal letters are one axis, `(a b)` is a',
    '  nested axis, `(a + b)` a joined one, `…` axes that broadcast, `_` an operand of sizes or indices, `#` what is never',
    '  removed, with the reason behind the dot.',
    '- **cost**: whether its multiply-adds are counted, else why there are none.',
    '- **gradient**: whether criteria that ask for gradients pass through it, else why not; flat ops pass nothing on.',
  ];
  for (const [family, table] of Object.entries(axes)) {
    const [title, idle] = families[family] ?? [family, 'none are counted'];
    lines.push('', `## ${title}`, '', '| op | axes | cost | gradient |', '|---|---|---|---|');
    for (const op of Object.keys(table).sort()) {
      const relation = relationOf(op, table[op], rules);
      const isCounted = relation.contraction || relation.multiplies;
      const cost = isCounted ? 'counted' : `none: ${noCost[op] ?? idle}`;
      const gradient =
        op in flat ? 'flat' : gradients.has(op) ? 'yes' : `none: ${noGradient[op] ?? noGradient[family]}`;
      lines.push(`| ${op} | ${axesCell(relation).replaceAll('|', '\\|')} | ${cost} | ${gradient} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

if (argv[1] && realpathSync(argv[1]) === fileURLToPath(import.meta.url)) {
  const [axes, rule, gradients, names] = await Promise.all([
    import('../dist/axes/rules/index.js'),
    import('../dist/axes/rule.js'),
    import('../dist/gradients/rules/index.js'),
    import('../dist/ops/index.js'),
  ]);
  const page = operatorsPage({
    axes: axes.axisRuleFamilies,
    gradients: gradients.gradientRules,
    flat: gradients.gradientRuleFamilies.constant,
    NoRelation: rule.NoRelation,
    inputNames: (op) => names.ops.get(op)?.inputs,
  });
  const target = fileURLToPath(new URL('../docs/operators.md', import.meta.url));
  writeFileSync(target, page);
  console.log(target);
}
