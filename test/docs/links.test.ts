import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../cli/run.js';

const pages = [
  ...readdirSync(root).filter((file) => file.endsWith('.md')),
  ...readdirSync(join(root, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => join('docs', file)),
];

/** Targets of links within the repository, without their anchors. */
function linksOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** Files and folders of the repository that a page names in backquotes. */
function pathsOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(/`((?:src|test|scripts|models)\/[\w./-]+)`/g)].map(([, path]) => path!);
}

it.each(pages)('%s links to what is there', (page) => {
  expect(linksOf(page).filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([]);
});

it.each(['CONTRIBUTING.md', 'docs/algebra.md'])('%s names files that are there', (page) => {
  const paths = pathsOf(page);
  expect(paths.length).toBeGreaterThan(5);
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
});
