import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, relative, sep } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * The house rules, read off the import lines: rooms see only what stands at the right (and what that may see), and
 * only the edges know Node and native modules, so that the engine can run in a browser.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  sweep: [],
  random: ['errors'],
  onnx: ['errors'],
  ops: ['onnx'],
  files: ['onnx'],
  runtime: ['ops', 'random'],
  shapes: ['runtime'],
  axes: ['shapes'],
  edit: ['ops'],
  layers: ['ops'],
  canonical: ['edit', 'shapes'],
  groups: ['axes'],
  plan: ['groups'],
  cost: ['groups'],
  rewrite: ['plan', 'edit'],
  data: ['onnx', 'random', 'files'],
  linear: ['runtime'],
  gradients: ['shapes', 'data'],
  members: ['groups'],
  statistics: ['members', 'plan', 'data', 'runtime', 'linear', 'gradients'],
  schedule: ['select'],
  reconstruct: ['statistics', 'layers', 'masking', 'linear'],
  rotation: ['reconstruct'],
  criteria: ['members', 'random'],
  select: ['plan', 'cost'],
  evaluate: ['runtime', 'data'],
  depth: ['cost', 'rewrite', 'gradients', 'data', 'runtime'],
  training: ['groups', 'gradients', 'data', 'runtime', 'random'],
  masking: ['plan', 'edit'],
  verify: ['rewrite', 'masking', 'runtime', 'data'],
  threads: ['members', 'files'],
  bench: ['runtime'],
  latency: ['cost', 'bench'],
  // What can be asked for, and the vocabulary of each room that a request names.
  options: ['schedule', 'depth', 'reconstruct', 'evaluate', 'latency', 'criteria', 'training'],
};

/** Types of the public API. They may name any engine type, and no room may import them. */
const contracts = ['pipeline/result.ts'];

/** Rooms and files that put rooms together, from the inside out. */
const assembly = ['analysis', 'pipeline', 'api', 'index'];

/** The only files that may import `node:*` or native modules; folders end in a slash. */
const edges = ['files/', 'threads/', 'cli/', 'runtime/node.ts', 'data/files.ts', 'data/images.ts', 'api.ts'];

const source = join(import.meta.dirname, '..', 'src');

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .map((file) => file.split(sep).join('/'))
  .filter((file) => file.endsWith('.ts'));

const imports = files.flatMap(importsOf);

describe('the rooms', () => {
  it('are all listed', () => {
    const known = [...Object.keys(rooms), ...contracts.map(roomOf), ...assembly, 'report', 'cli'];
    expect([...new Set(files.map(roomOf))].filter((room) => !known.includes(room))).toEqual([]);
  });

  it('are those of CONTRIBUTING.md', () => {
    const page = readFileSync(join(dirname(import.meta.dirname), 'CONTRIBUTING.md'), 'utf8');
    // Formatters pad tables.
    const [, rows = ''] = /\n\| room +\| holds +\| may import +\|\n[| -]+\n((?:\|.*\n)+)/.exec(page) ?? [];
    const told = rows
      .trim()
      .split('\n')
      .map((row) => {
        const [room, , imports] = row
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim());
        return [room, imports ? imports.split(', ') : []];
      });
    expect(Object.fromEntries(told)).toEqual(rooms);
  });

  it('have no cycle in their table', () => {
    for (const room of Object.keys(rooms)) expect(reach(room)).not.toContain(room);
  });

  it('hold no file of more than 400 lines', () => {
    const long = files.filter((file) => readFileSync(join(source, file), 'utf8').split('\n').length > 401);
    expect(long).toEqual([]);
  });

  it('hold no circle of files', () => {
    expect(circles()).toEqual([]);
  });

  it('see only what their table says', () => {
    const offences = imports.filter(({ file, target }) => {
      const [from, to] = [roomOf(file), roomOf(target)];
      return from in rooms && isInternal(target) && to !== from && !reach(from).has(to);
    });
    expect(offences.map(show)).toEqual([]);
  });

  it('of contracts and reports hold no code of the engine', () => {
    const offences = imports.filter(({ file, target, typeOnly }) => {
      const from = roomOf(file);
      // A sweep's cells are plain data with a few functions over them.
      if (from === 'report') return !['report', 'sweep', 'errors'].includes(roomOf(target)) && !typeOnly;
      return contracts.includes(file) && !typeOnly;
    });
    expect(offences.map(show)).toEqual([]);
  });

  it('are put together from the inside out', () => {
    const offences = imports.filter(({ file, target }) => {
      const [from, to] = [assembly.indexOf(roomOf(file)), assembly.indexOf(roomOf(target))];
      return (from >= 0 && to >= from && roomOf(file) !== roomOf(target)) || (from >= 0 && isOuter(target));
    });
    expect(offences.map(show)).toEqual([]);
  });

  it('are reached by the command line only through the index', () => {
    const allowed = ['cli', 'index', 'report', 'files', 'sweep', 'errors', 'options'];
    const offences = imports.filter(
      ({ file, target, typeOnly }) =>
        roomOf(file) === 'cli' && isInternal(target) && !typeOnly && !allowed.includes(roomOf(target)),
    );
    expect(offences.map(show)).toEqual([]);
  });
});

describe('the edges', () => {
  const isEdge = (file: string): boolean =>
    edges.some((edge) => (edge.endsWith('/') ? file.startsWith(edge) : file === edge));

  it('exist', () => {
    for (const edge of edges)
      expect(
        files.some((file) => file === edge || file.startsWith(edge)),
        edge,
      ).toBe(true);
  });

  it('alone import Node and native modules', () => {
    const offences = imports.filter(
      ({ file, target, typeOnly }) =>
        /^(node:|onnxruntime-node|sharp|commander)/.test(target) && !typeOnly && !isEdge(file),
    );
    expect(offences.map(show)).toEqual([]);
  });

  it('alone use the globals of Node', () => {
    const offences = files.filter(
      (file) =>
        !isEdge(file) && /\b(process\.\w|Buffer\.\w|__dirname|__filename|require\()/.test(codeOf(file)),
    );
    expect(offences).toEqual([]);
  });
});

it('doc comments say what a thing is: none begins with Of', () => {
  const offences = files.filter((file) =>
    /\/\*\*\s*(?:\*\s*)?Of\s/.test(readFileSync(join(source, file), 'utf8')),
  );
  expect(offences).toEqual([]);
});

describe('this test', () => {
  it('reads every form of import', () => {
    const text = `import a from './a.js';
import type { B } from './b.js';
import { type C, d } from './c.js';
import {
  e,
} from './e.js';
export { f } from './f.js';
export type { G } from './g.js';
const h = await import('./h.js');
import './i.js';`;
    expect(parse(text)).toEqual([
      ['./a.js', false],
      ['./b.js', true],
      ['./c.js', false],
      ['./e.js', false],
      ['./f.js', false],
      ['./g.js', true],
      ['./h.js', false],
      ['./i.js', false],
    ]);
  });

  it('sees the imports that are known to be there', () => {
    expect(imports.map(show)).toContain('runtime/node.ts -> onnxruntime-node');
    expect(imports.map(show)).toContain('select/select.ts -> plan/plan.ts');
  });
});

/** Specifiers with whether only types come through, in order. */
function parse(text: string): [specifier: string, typeOnly: boolean][] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?(?:[\w*{}\s,$]+?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/g;
  return [...text.matchAll(pattern)].map((match) => [match[2] ?? match[3]!, match[1] !== undefined]);
}

function importsOf(file: string): Import[] {
  return parse(codeOf(file)).map(([specifier, typeOnly]) => {
    const target = specifier.startsWith('.')
      ? posix.join(posix.dirname(file), specifier).replace(/\.js$/, '.ts')
      : specifier;
    return { file, target, typeOnly };
  });
}

/** The text of a file without comments. */
function codeOf(file: string): string {
  const text = readFileSync(join(source, ...file.split('/')), 'utf8');
  return text.replaceAll(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
}

/** The folder, or the name of a file at the top. */
function roomOf(file: string): string {
  return file.split('/')[0]!.replace(/\.ts$/, '');
}

function isInternal(target: string): boolean {
  return files.includes(target);
}

function isOuter(target: string): boolean {
  return isInternal(target) && ['cli', 'report'].includes(roomOf(target));
}

function reach(room: string, seen = new Set<string>()): Set<string> {
  for (const next of rooms[room] ?? []) {
    if (seen.has(next)) continue;
    seen.add(next);
    reach(next, seen);
  }
  return seen;
}

/** What is left of the files once those are taken away, again and again, that import none of the rest or that none of it imports. */
function circles(): string[] {
  let left = new Set(files);
  for (let size = -1; size !== left.size;) {
    size = left.size;
    const inner = imports.filter(({ file, target }) => left.has(file) && left.has(target));
    const importing = new Set(inner.map(({ file }) => file));
    left = new Set(inner.map(({ target }) => target).filter((target) => importing.has(target)));
  }
  return [...left];
}

function show({ file, target }: Import): string {
  return `${file} -> ${target}`;
}

it('runs on the sources of this checkout', () => {
  expect(relative(dirname(import.meta.dirname), source)).toBe('src');
  expect(files.length).toBeGreaterThan(50);
});
