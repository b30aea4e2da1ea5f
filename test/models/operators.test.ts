import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { NoRelation } from '../../src/axes/rule.js';
import { axisRuleFamilies } from '../../src/axes/rules/index.js';
import { gradientRuleFamilies, gradientRules } from '../../src/gradients/rules/index.js';
import { ops } from '../../src/ops/index.js';

const script = new URL('../../scripts/operators.mjs', import.meta.url);
const { operatorsPage } = (await import(script.href)) as { operatorsPage: (rules: object) => string };

const page = operatorsPage({
  axes: axisRuleFamilies,
  gradients: gradientRules,
  flat: gradientRuleFamilies.constant,
  NoRelation,
  inputNames: (op: string) => ops.get(op)?.inputs,
});

it('is what docs/operators.md holds; else run scripts/operators.mjs', () => {
  const written = readFileSync(new URL('../../docs/operators.md', import.meta.url), 'utf8');
  expect(page).toBe(written);
});

it('has no empty cell and no cell without a reason', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| '));
  const cells = rows.flatMap((row) => row.replaceAll('\\|', '').split('|').slice(1, -1));
  expect(cells.filter((cell) => /^\s*$|undefined|none:\s*$/.test(cell))).toEqual([]);
  const ops = Object.values(axisRuleFamilies).flatMap((family) => Object.keys(family));
  for (const op of ops) expect(page).toContain(`| ${op} |`);
});
