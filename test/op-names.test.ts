import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { ops } from '../src/ops/index.js';

/**
 * What an op is stands in `src/ops`, and rules by op in folders named `rules`. Everything else asks there: by trait, by
 * operand, by builder. Read off the syntax tree, so that comments and messages may name what they like.
 */
const source = join(import.meta.dirname, '..', 'src');

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(sep).join('/'))
  .filter((file) => file.endsWith('.ts'));

const isHome = (file: string): boolean => file.startsWith('ops/') || file.includes('/rules/');

const names = new Set([...ops.keys()].flatMap((name) => [name, name.split('::').at(-1)!]));

/** Domains of ops, as qualified names begin with. */
const domains = /^com\.(microsoft|ms)\b/;

/** Expressions that hold the type or the qualified name of an op. */
const holdsName = /(?:^|\.)(?:opType|op|qualifiedName\(.*\))$/;

/** Methods that compare strings. */
const comparing = new Set([
  'startsWith',
  'endsWith',
  'includes',
  'test',
  'exec',
  'match',
  'search',
  'indexOf',
]);

/** Every place of a file that names an op, as `line: text`. */
function offences(file: string, text: string): string[] {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const report = (node: ts.Node): void => {
    const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree));
    found.push(`${file}:${line + 1}: ${node.getText(tree).slice(0, 80).replaceAll(/\s+/g, ' ')}`);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return;
    if (ts.isStringLiteralLike(node) && isNames(node.text)) report(node);
    else if (ts.isTemplateExpression(node) && domains.test(node.head.text)) report(node);
    else if (isKey(node) && names.has(node.name.text)) report(node.name);
    else if (isWrittenNode(node) || isComparison(node)) report(node);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** One name, a list of them as of words, or a domain. */
function isNames(text: string): boolean {
  const words = text.trim().split(/\s+/);
  return domains.test(text) || (text !== '' && words.every((word) => names.has(word)));
}

function isKey(node: ts.Node): node is ts.PropertyAssignment & { name: ts.Identifier } {
  return ts.isPropertyAssignment(node) && ts.isIdentifier(node.name);
}

/** `{ opType: …, domain: … }`, other than copied from elsewhere: `opType` or `opType: other.opType`. */
function isWrittenNode(node: ts.Node): boolean {
  if (!ts.isPropertyAssignment(node) || node.name.getText() !== 'opType') return false;
  return ts.isStringLiteralLike(node.initializer);
}

/** `opType.startsWith(…)`, `/…/.test(opType)`. */
function isComparison(node: ts.Node): boolean {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { expression: subject, name } = node.expression;
  if (!comparing.has(name.text)) return false;
  // A pattern, or a list, may stand under a name: none may be asked for the name of an op.
  const isList = ts.isRegularExpressionLiteral(subject) || ts.isIdentifier(subject);
  const isPart = (part: ts.Node): boolean => ts.isStringLiteralLike(part) && /^[A-Z]|::/.test(part.text);
  return (
    (isList && node.arguments.some((argument) => holdsName.test(argument.getText()))) ||
    (holdsName.test(subject.getText()) && node.arguments.some(isPart))
  );
}

it.each([
  ["node.opType === 'Conv'", true],
  ["switch (op) { case 'com.microsoft::Gelu': }", true],
  ["new Set(`Conv  Gemm`.split(' '))", true],
  ['const table = { Conv: 1, other: 2 };', true],
  ["opType.startsWith('Reduce')", true],
  ['/^Random/.test(node.opType)', true],
  ['kinds.includes(node.opType)', true],
  ["node.domain === 'com.microsoft'", true],
  ["const why = `the Conv behind ${name}`; fail('no Conv')", false],
  ["has(node, 'moves') && op.startsWith('graph ')", false],
  ["import { Conv } from './Conv.js'; // 'Conv'", false],
])('%s names an op: %s', (text, names) => {
  expect(offences('a.ts', text).length > 0).toBe(names);
});

it('no file outside ops and rules names an op', () => {
  const found = files
    .filter((file) => !isHome(file))
    .flatMap((file) => offences(file, readFileSync(join(source, ...file.split('/')), 'utf8')));
  expect(found).toEqual([]);
});
